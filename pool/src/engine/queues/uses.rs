//! Which kinds of queues a pool uses.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The kinds of tasks that a pool has ever had, besides closures of one priority. Workers skip the
/// queues of all other kinds.
#[derive(Debug)]
pub struct Uses(AtomicUsize);

impl Uses {
    pub const FUTURES: usize = 1;
    /// Closures may wait at more than one priority.
    pub const PRIORITIES: usize = 2;

    pub fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Adds a kind. Call it before the first push of that kind.
    #[inline]
    pub fn add(&self, which: usize) {
        if !self.includes(which) {
            // Relaxed: the fences of the protocol in `idle` order it, like the queues.
            self.0.fetch_or(which, Ordering::Relaxed);
        }
    }

    #[inline]
    pub fn includes(&self, which: usize) -> bool {
        self.all() & which != 0
    }

    /// Returns whether the pool uses neither futures nor priorities.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.all() == 0
    }

    #[inline]
    fn all(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
