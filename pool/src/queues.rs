//! Where accepted tasks wait for a worker.
//!
//! One queue for all, into which everybody may push, and one for each of the first workers, from which the others
//! steal. Workers beyond [`LOCALS`] have none of their own: a pool with that many threads runs tasks that block, and
//! a task that waits behind one that blocks is better off where everybody looks first.

use crate::sync::{Injector, Local, Mutex, Steal, Stealer};

/// The most local queues. A thief looks into each.
const LOCALS: usize = 64;

/// The most tasks that a worker takes out of the common queue at once.
const BATCH: usize = 32;

pub(crate) struct Queues<T> {
    common: Injector<T>,
    stealers: Box<[Stealer<T>]>,
    /// The local queues that no worker has now.
    vacant: Mutex<Vec<Own<T>>>,
}

/// A worker's own queue.
pub(crate) struct Own<T> {
    pub(crate) index: usize,
    queue: Local<T>,
}

impl<T> Own<T> {
    pub(crate) fn push(&self, task: T) {
        self.queue.push(task);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl<T> Queues<T> {
    pub(crate) fn new(max_threads: usize) -> Self {
        // Backwards, so that `pop` gives the lowest first.
        let vacant: Vec<_> = (0..max_threads.min(LOCALS))
            .rev()
            .map(|index| Own {
                index,
                queue: Local::new_fifo(),
            })
            .collect();
        let stealers = vacant.iter().rev().map(|own| own.queue.stealer()).collect();
        Self {
            common: Injector::new(),
            stealers,
            vacant: Mutex::new(vacant),
        }
    }

    /// A queue for a worker that begins, if one is left.
    pub(crate) fn claim(&self) -> Option<Own<T>> {
        self.vacant.lock().pop()
    }

    /// The queue of a worker that ends. What its last words put there is for thieves, and for the next that has it.
    pub(crate) fn vacate(&self, own: Own<T>) {
        self.vacant.lock().push(own);
    }

    pub(crate) fn locals(&self) -> usize {
        self.stealers.len()
    }

    #[inline]
    pub(crate) fn push(&self, task: T) {
        self.common.push(task);
    }

    /// What a worker may take out of the common queue at once without leaving the others nothing.
    fn share(&self) -> usize {
        (self.common.len() / self.stealers.len() + 1).min(BATCH)
    }

    /// Moves a share of the common queue to the end of an own one.
    pub(crate) fn refill(&self, own: &Own<T>) {
        while let Steal::Retry = self.common.steal_batch_with_limit(&own.queue, self.share()) {}
    }

    /// The next task of the common queue. With an own queue the worker takes its share of the others along.
    pub(crate) fn take_common(&self, own: Option<&Own<T>>) -> Option<T> {
        loop {
            let steal = match own {
                Some(own) => self
                    .common
                    .steal_batch_with_limit_and_pop(&own.queue, self.share()),
                None => self.common.steal(),
            };
            match steal {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// A task out of another worker's queue.
    pub(crate) fn steal(&self, own: Option<&Own<T>>) -> Option<T> {
        let first = own.map_or(0, |own| own.index + 1);
        let (after, before) = (&self.stealers[first..], &self.stealers[..first]);
        // Most are empty, and to see that costs less than to try: a thief registers with each other that steals.
        let full = |stealer: &&Stealer<T>| !stealer.is_empty();
        after.iter().chain(before).filter(full).find_map(|stealer| {
            loop {
                let steal = match own {
                    Some(own) => stealer.steal_batch_and_pop(&own.queue),
                    None => stealer.steal(),
                };
                match steal {
                    Steal::Success(task) => return Some(task),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        })
    }

    /// A task from anywhere, for a thread without a queue.
    pub(crate) fn take_any(&self) -> Option<T> {
        self.take_common(None).or_else(|| self.steal(None))
    }

    /// Whether a task waits anywhere. A task whose push has begun counts.
    pub(crate) fn has_work(&self) -> bool {
        !self.common.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    pub(crate) fn len(&self) -> usize {
        self.common.len() + self.stealers.iter().map(Stealer::len).sum::<usize>()
    }
}
