//! Tasks that count themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Counts running tasks, the most at once, and ended tasks.
#[derive(Default)]
pub(crate) struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicUsize,
}

impl Running {
    /// Returns a task that yields its thread while it is counted.
    pub(crate) fn task(self: &Arc<Self>) -> impl FnOnce() + Send + 'static + use<> {
        let running = Arc::clone(self);
        move || {
            let now = running.now.fetch_add(1, Ordering::Relaxed) + 1;
            running.most.fetch_max(now, Ordering::Relaxed);
            thread::yield_now();
            running.now.fetch_sub(1, Ordering::Relaxed);
            running.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }
}
