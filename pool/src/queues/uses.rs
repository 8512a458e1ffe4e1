//! Which kinds of queues a pool uses.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The kinds of tasks that a pool has ever had, besides closures of one priority. Workers skip the
/// queues of all other kinds.
#[derive(Debug)]
pub(crate) struct Uses(AtomicUsize);

impl Uses {
    pub(crate) const FUTURES: usize = 1;
    /// Closures may wait at more than one priority.
    pub(crate) const PRIORITIES: usize = 2;

    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Adds a kind. Call it before the first push of that kind.
    #[inline]
    pub(crate) fn add(&self, which: usize) {
        if !self.includes(which) {
            // Relaxed: the fences of the protocol in `idle` order it, like the queues.
            self.0.fetch_or(which, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn includes(&self, which: usize) -> bool {
        self.all() & which != 0
    }

    /// Returns whether the pool uses neither futures nor priorities.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.all() == 0
    }

    #[inline]
    fn all(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
