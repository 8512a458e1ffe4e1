//! Items of a map that are in the pool: groups of items, each one task.
//!
//! A task for each item would cost more than a short item. So items are grouped until a task takes
//! some hundred microseconds; items that take longer are tasks of their own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::vec;

use crate::join::JoinHandle;
use crate::pool::Pool;
use crate::submit::Slot;
use crate::task::{Payload, unwind};
use crate::wait::blocking;

/// A task that takes less gets twice as many items next time.
const SHORT: Duration = Duration::from_micros(200);
/// A task that takes more gets half as many.
const LONG: Duration = Duration::from_millis(1);
/// The most items of a task.
const MOST_ITEMS: usize = 256;
/// Tasks in the pool for each of its threads, unless the window is set: one runs, the others cover
/// the time until the results are taken.
const TASKS_PER_THREAD: usize = 4;

/// The results of a task, up to the item at which the map was dropped.
struct Results<T> {
    items: Vec<Result<T, Payload>>,
    took: Duration,
}

/// A task.
struct Chunk<T> {
    number: u64,
    len: usize,
    handle: JoinHandle<Results<T>>,
}

/// The items of a map that are in the pool.
pub struct Chunks<F, T> {
    f: Arc<F>,
    /// Whether to return results as they are computed.
    pub unordered: bool,
    /// The most items that are taken from the source and not returned, if set.
    pub window: Option<usize>,
    /// Recognizes the result that ends the map.
    pub is_error: Option<fn(&T) -> bool>,
    /// Whether the map has returned its last result.
    pub is_over: bool,
    /// The number of items in the next task.
    size: usize,
    threads: usize,
    tasks: VecDeque<Chunk<T>>,
    next_number: u64,
    /// Results that were taken from a task, to be returned.
    ready: vec::IntoIter<Result<T, Payload>>,
    /// Whether the map was dropped or has failed, so that running tasks stop.
    stopped: Arc<AtomicBool>,
    /// The numbers of tasks as they end, for a thread that waits for any.
    ended: Option<(Sender<u64>, Receiver<u64>)>,
    /// The number of the first task that sends its number.
    first_sender: u64,
}

/// Sends the number of a task when it ends, however it ends.
struct SendOnDrop(Sender<u64>, u64);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        // The map may have been dropped.
        let _ = self.0.send(self.1);
    }
}

impl<F, T> Chunks<F, T> {
    pub fn new(pool: &Pool, f: F) -> Self {
        Self {
            f: Arc::new(f),
            unordered: false,
            window: None,
            is_error: None,
            is_over: false,
            size: 1,
            threads: *pool.threads().end(),
            tasks: VecDeque::new(),
            next_number: 0,
            ready: Vec::new().into_iter(),
            stopped: Arc::default(),
            ended: None,
            first_sender: 0,
        }
    }

    /// Makes `wait` return results as they are computed.
    pub fn wait_for_any(&mut self) {
        self.unordered = true;
        if self.ended.is_none() {
            self.ended = Some(mpsc::channel());
            self.first_sender = self.next_number;
        }
    }

    /// Returns the number of items that the next task may have. 0 while the window is full.
    pub fn room(&self) -> usize {
        match self.window {
            None if self.tasks.len() < self.threads * TASKS_PER_THREAD => self.size,
            None => 0,
            Some(window) => {
                // Small enough that each thread has work and results can be taken meanwhile.
                let size = self.size.min(window / (2 * self.threads)).max(1);
                size.min(window.saturating_sub(self.len()))
            }
        }
    }

    /// Returns the number of items that are in the pool or ready.
    pub fn len(&self) -> usize {
        let in_tasks: usize = self.tasks.iter().map(|task| task.len).sum();
        in_tasks + self.ready.len()
    }

    /// Returns whether no task is in the pool.
    pub fn has_no_task(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether a result is ready.
    #[cfg_attr(not(feature = "stream"), expect(dead_code, reason = "for streams"))]
    pub fn has_ready(&self) -> bool {
        self.ready.len() > 0
    }

    /// Returns the next result that is ready. Resumes the panic of its item.
    pub fn next_ready(&mut self) -> Option<T> {
        let result = self.ready.next()?;
        Some(result.unwrap_or_else(|payload| std::panic::resume_unwind(payload)))
    }

    /// Cancels all items that have not begun.
    pub fn cancel(&mut self) {
        // Relaxed: it is a hint.
        self.stopped.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            drop(task.handle.cancel_on_drop());
        }
        self.ready = Vec::new().into_iter();
    }

    /// Ends the map after the last result or the first error, and cancels the rest. Returns whether
    /// it has ended.
    pub fn end_after(&mut self, result: Option<&T>) -> bool {
        let is_error = |result| self.is_error.is_some_and(|is_error| is_error(result));
        self.is_over = result.is_none_or(is_error);
        if self.is_over {
            self.cancel();
        }
        self.is_over
    }

    /// Returns bounds of the number of results to come, from the bounds of the source.
    pub fn size_hint(
        &self,
        gathered: usize,
        (least, most): (usize, Option<usize>),
    ) -> (usize, Option<usize>) {
        if self.is_over {
            return (0, Some(0));
        }
        let taken = self.len() + gathered;
        let most = most.and_then(|most| most.checked_add(taken));
        let least = least.saturating_add(taken);
        let may_stop = self.is_error.is_some() && least > 0;
        (if may_stop { 1 } else { least }, most)
    }

    fn take(&mut self, len: usize, results: Result<Results<T>, crate::JoinError>) {
        let Ok(Results { items, took }) = results else {
            panic!("the pool discarded items of a map");
        };
        if took < SHORT && len >= self.size {
            self.size = (self.size * 2).min(MOST_ITEMS);
        } else if took > LONG {
            self.size = (self.size / 2).max(1);
        }
        self.ready = items.into_iter();
    }
}

impl<F, T: Send + 'static> Chunks<F, T> {
    /// Submits a task.
    pub fn submit<I>(&mut self, slot: Slot<'_>, items: Vec<I>)
    where
        I: Send + 'static,
        F: Fn(I) -> T + Send + Sync + 'static,
    {
        let (number, len) = (self.next_number, items.len());
        self.next_number += 1;
        let ended = self.ended.as_ref();
        let ended = ended.map(|(sender, _)| SendOnDrop(sender.clone(), number));
        let (f, stopped) = (Arc::clone(&self.f), Arc::clone(&self.stopped));
        let handle = slot.submit_with_handle(move || {
            let _ended = ended;
            let begun = Instant::now();
            let items = items.into_iter();
            let items = items.map_while(|item| {
                let goes_on = !stopped.load(Ordering::Relaxed);
                goes_on.then(|| unwind::catch(|| f(item)))
            });
            let items = items.collect();
            let took = begun.elapsed();
            Results { items, took }
        });
        self.tasks.push_back(Chunk {
            number,
            len,
            handle,
        });
    }

    /// Computes items on the calling thread. Call it without tasks in the pool, or they come out of
    /// order.
    pub fn run_here<I>(&mut self, items: Vec<I>)
    where
        F: Fn(I) -> T,
    {
        let results = items
            .into_iter()
            .map(|item| unwind::catch(|| (self.f)(item)));
        self.ready = results.collect::<Vec<_>>().into_iter();
    }

    /// Blocks until the results of the next task are ready. There must be a task.
    pub fn wait(&mut self) {
        let index = match &self.ended {
            Some((_, ended)) => self.index_of_any(ended),
            None => Some(0),
        };
        let task = index.and_then(|index| self.tasks.remove(index));
        let task = task.expect("a task is in the pool");
        self.take(task.len, task.handle.wait());
    }

    /// Blocks until any task has ended, and returns its index.
    fn index_of_any(&self, ended: &Receiver<u64>) -> Option<usize> {
        if self.tasks.front()?.number < self.first_sender {
            // A task from the time when the map was in order: it sends no number.
            return Some(0);
        }
        // On a worker of the pool, run the tasks that wait for this worker.
        let mut tasks = self.tasks.iter();
        let number = loop {
            if let Ok(number) = ended.try_recv() {
                break number;
            }
            let Some(task) = tasks.next() else {
                blocking::check();
                break ended.recv().ok()?;
            };
            task.handle.run_here();
        };
        self.tasks.iter().position(|task| task.number == number)
    }

    /// Polls for the results of the next task. There must be a task.
    #[cfg_attr(not(feature = "stream"), expect(dead_code, reason = "for streams"))]
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let candidates = if self.unordered { self.tasks.len() } else { 1 };
        for index in 0..candidates {
            let handle = std::pin::Pin::new(&mut self.tasks[index].handle);
            if let Poll::Ready(results) = std::future::Future::poll(handle, cx) {
                let len = self.tasks.remove(index).map_or(0, |task| task.len);
                self.take(len, results);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl<F, T> Drop for Chunks<F, T> {
    fn drop(&mut self) {
        self.cancel();
    }
}
