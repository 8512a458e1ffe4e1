//! Those who wait for the end of a pool or of a subpool.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, AtExit, Mutex};
use crate::unwind;
use crate::waiter::{Outcome, Waiter};

pub(crate) struct Watchers {
    list: Mutex<Vec<Arc<Waiter>>>,
    /// Threads that were dismissed and have not exited.
    exiting: AtomicUsize,
}

impl Watchers {
    pub(super) fn new() -> Self {
        Self {
            list: Mutex::new(Vec::new()),
            exiting: AtomicUsize::new(0),
        }
    }

    /// Adds one that waits for an end. It looks at the state after this and not before.
    pub(crate) fn add(&self, waiter: &Arc<Waiter>) {
        self.list.lock().push(Arc::clone(waiter));
    }

    pub(crate) fn remove(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        let place = list.iter().position(|other| Arc::ptr_eq(other, waiter));
        let removed = place.map(|place| list.swap_remove(place));
        drop(list);
        // Outside the lock: the drop of a waker may do anything.
        drop(removed);
    }

    /// Tells everybody to look again. Those who are in the list by now look after what was done before this.
    pub(crate) fn tell(&self) {
        let list = std::mem::take(&mut *self.list.lock());
        for waiter in list {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
    }

    /// A thread is about to be dismissed, and will exit.
    pub(super) fn expect_exit(&self) {
        // Relaxed: who finds the thread dismissed, under a lock, sees this.
        self.exiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether every thread that was dismissed has exited.
    pub(super) fn have_all_exited(&self) -> bool {
        self.exiting.load(Ordering::Acquire) == 0
    }
}

/// A thread has exited, but for the system's part.
impl AtExit for Watchers {
    fn at_exit(&self) {
        // Release pairs with the Acquire in `have_all_exited`: who finds that all have exited sees what each did.
        self.exiting.fetch_sub(1, Ordering::Release);
        // A panic here would end the process.
        if let Err(payload) = unwind::catch(|| self.tell()) {
            unwind::discard(payload);
        }
    }
}
