//! A worker's local queues and their stealers.

use super::repeat;
use crate::engine::lane::Lane;
use crate::sync::{Local, Stealer};

/// A worker's local queues, one per lane.
pub struct Own<T> {
    pub index: usize,
    futures: Local<T>,
    closures: Local<T>,
}

impl<T> Own<T> {
    pub fn new(index: usize) -> Self {
        Self {
            index,
            futures: Local::new_fifo(),
            closures: Local::new_fifo(),
        }
    }

    pub fn stealers(&self) -> Stealers<T> {
        Stealers {
            futures: self.futures.stealer(),
            closures: self.closures.stealer(),
        }
    }

    #[inline]
    pub fn queue(&self, lane: Lane) -> &Local<T> {
        match lane {
            Lane::Futures => &self.futures,
            Lane::Closures => &self.closures,
        }
    }

    #[inline]
    pub fn pop(&self, lane: Lane) -> Option<T> {
        self.queue(lane).pop()
    }

    /// Pops a task without inlining, on paths where inlining does not pay.
    #[inline(never)]
    pub fn pop_outlined(&self, lane: Lane) -> Option<T> {
        self.queue(lane).pop()
    }

    #[inline]
    pub fn is_empty(&self, lane: Lane) -> bool {
        self.queue(lane).is_empty()
    }

    pub fn len(&self, lane: Lane) -> usize {
        self.queue(lane).len()
    }

    /// Pops each task of a lane and pushes it back unless `take` consumes it. Other workers may see
    /// an empty queue meanwhile. Returns whether a task was pushed back; the caller must then
    /// notify.
    pub fn sweep(&self, lane: Lane, mut take: impl FnMut(T) -> Option<T>) -> bool {
        let queue = self.queue(lane);
        let mut has_put_back = false;
        for _ in 0..queue.len() {
            let Some(task) = queue.pop() else { break };
            if let Some(task) = take(task) {
                queue.push(task);
                has_put_back = true;
            }
        }
        has_put_back
    }
}

/// The stealing side of a worker's local queues.
pub struct Stealers<T> {
    futures: Stealer<T>,
    closures: Stealer<T>,
}

impl<T> Stealers<T> {
    fn stealer(&self, lane: Lane) -> &Stealer<T> {
        match lane {
            Lane::Futures => &self.futures,
            Lane::Closures => &self.closures,
        }
    }

    /// Steals a task. With local queues, the thief also takes up to half of the tasks behind it.
    pub fn steal(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        let stealer = self.stealer(lane);
        // Most queues are empty, and this check costs less than a steal, which pins an epoch.
        if stealer.is_empty() {
            return None;
        }
        repeat(|| match own {
            Some(own) => stealer.steal_batch_and_pop(own.queue(lane)),
            None => stealer.steal(),
        })
    }

    pub fn has_work(&self, lane: Lane) -> bool {
        !self.stealer(lane).is_empty()
    }

    pub fn len(&self, lane: Lane) -> usize {
        self.stealer(lane).len()
    }
}
