//! A model of crossbeam-deque 0.8.8 made of a mutex, with its behaviour but not its memory orders.
//!
//! It has fewer schedules than `deque_ordered`, so models explore further with it. It finds only
//! faults of logic, because its mutex orders all accesses and so hides a fence that is missing in
//! the pool.

use std::collections::VecDeque;

use crossbeam_deque::Steal;
use loom::sync::{Arc, Mutex, MutexGuard};

/// Returns the size of a batch: half of `len`, as in the real queues.
fn half(len: usize, limit: usize) -> usize {
    len.div_ceil(2).min(limit)
}

#[derive(Debug)]
struct Queue<T>(Mutex<VecDeque<T>>);

impl<T> Queue<T> {
    fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().expect("a panic in a thread ends the model")
    }

    fn pop(&self) -> Steal<T> {
        self.lock().pop_front().map_or(Steal::Empty, Steal::Success)
    }

    /// Removes a batch, then appends it to `dest`. In between it is in neither queue, as with the
    /// real ones.
    fn steal_batch(&self, dest: &Local<T>, limit: usize) -> Steal<()> {
        let batch: Vec<_> = {
            let mut queue = self.lock();
            let count = half(queue.len(), limit);
            queue.drain(..count).collect()
        };
        if batch.is_empty() {
            return Steal::Empty;
        }
        dest.0.lock().extend(batch);
        Steal::Success(())
    }

    fn steal_batch_and_pop(&self, dest: &Local<T>, limit: usize) -> Steal<T> {
        let mut batch: VecDeque<_> = {
            let mut queue = self.lock();
            let count = half(queue.len(), limit);
            queue.drain(..count).collect()
        };
        let Some(first) = batch.pop_front() else {
            return Steal::Empty;
        };
        if !batch.is_empty() {
            dest.0.lock().extend(batch);
        }
        Steal::Success(first)
    }
}

#[derive(Debug)]
pub(crate) struct Injector<T>(Queue<T>);

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(Queue::new())
    }

    pub(crate) fn push(&self, value: T) {
        self.0.lock().push_back(value);
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.pop()
    }

    pub(crate) fn steal_batch_with_limit(&self, dest: &Local<T>, limit: usize) -> Steal<()> {
        self.0.steal_batch(dest, limit)
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, dest: &Local<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch_and_pop(dest, limit)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[derive(Debug)]
pub(crate) struct Local<T>(Arc<Queue<T>>);

impl<T> Local<T> {
    pub(crate) fn new_fifo() -> Self {
        Self(Arc::new(Queue::new()))
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    pub(crate) fn push(&self, value: T) {
        self.0.lock().push_back(value);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.lock().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[derive(Debug)]
pub(crate) struct Stealer<T>(Arc<Queue<T>>);

impl<T> Stealer<T> {
    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.pop()
    }

    pub(crate) fn steal_batch_and_pop(&self, dest: &Local<T>) -> Steal<T> {
        self.0.steal_batch_and_pop(dest, usize::MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
