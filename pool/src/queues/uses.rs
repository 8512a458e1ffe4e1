//! What a pool's queues are used for.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// What a pool has ever had beside closures of one priority. A pool without futures need not look for futures.
#[derive(Debug)]
pub(crate) struct Uses(AtomicUsize);

impl Uses {
    pub(crate) const FUTURES: usize = 1;
    /// Closures may wait at more than one priority.
    pub(crate) const PRIORITIES: usize = 2;

    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Adds one, before the first push that is of it.
    #[inline]
    pub(crate) fn add(&self, which: usize) {
        if !self.includes(which) {
            // Relaxed: as for the queues, the fences of the protocol in `idle` order it.
            self.0.fetch_or(which, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn includes(&self, which: usize) -> bool {
        self.all() & which != 0
    }

    /// Whether there are no futures and no priorities.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.all() == 0
    }

    #[inline]
    fn all(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
