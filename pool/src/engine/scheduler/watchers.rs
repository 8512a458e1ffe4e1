//! Tracks callers that wait for the end of a pool or subpool, and threads that have yet to exit.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, AtExit, Mutex};
use crate::task::unwind;
use crate::wait::{Outcome, Waiter};

pub struct Watchers {
    list: Mutex<Vec<Arc<Waiter>>>,
    /// Threads that are dismissed and have not exited.
    exiting: AtomicUsize,
}

impl Watchers {
    pub fn new() -> Self {
        Self {
            list: Mutex::new(Vec::new()),
            exiting: AtomicUsize::new(0),
        }
    }

    /// Registers a waiter. Register before checking the state, or a notification is lost.
    pub fn add(&self, waiter: &Arc<Waiter>) {
        self.list.lock().push(Arc::clone(waiter));
    }

    pub fn remove(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        let place = list.iter().position(|other| Arc::ptr_eq(other, waiter));
        let removed = place.map(|place| list.swap_remove(place));
        drop(list);
        // Outside the lock: dropping a waker runs foreign code, which may call back.
        drop(removed);
    }

    /// Wakes all registered waiters to check the state again. They see every change made before
    /// this call.
    pub fn notify_all(&self) {
        let list = std::mem::take(&mut *self.list.lock());
        for waiter in list {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
    }

    /// Counts a thread that is about to be dismissed, until it exits.
    pub fn expect_exit(&self) {
        // Relaxed: the lock of the stack, under which the thread is dismissed next, publishes it.
        self.exiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether every dismissed thread has exited.
    pub fn have_all_exited(&self) -> bool {
        self.exiting.load(Ordering::Acquire) == 0
    }
}

impl AtExit for Watchers {
    /// Counts the calling thread as exited: only the operating system's part is left.
    fn at_exit(&self) {
        // Release pairs with the Acquire in `have_all_exited`, so that a shutdown sees all effects
        // of each thread.
        self.exiting.fetch_sub(1, Ordering::Release);
        // Catch panics of wakers: in a destructor of a thread-local they abort the process.
        if let Err(payload) = unwind::catch(|| self.notify_all()) {
            unwind::discard(payload);
        }
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn removed_waiter_is_dropped() {
        let watchers = Watchers::new();
        let [one, other] = [(); 2].map(|()| Arc::new(Waiter::thread()));
        watchers.add(&one);
        watchers.add(&other);
        watchers.remove(&one);
        assert_eq!([&one, &other].map(Arc::strong_count), [1, 2]);
        watchers.notify_all();
        assert_eq!(other.outcome(), Some(Outcome::Granted));
        assert_eq!(one.outcome(), None);
        assert_eq!(Arc::strong_count(&other), 1);
    }
}
