//! Entrances that come and go, and the end of all of them.

use super::Shared;
use crate::entrance::Entrance;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::waiter::{Outcome, Waiter};

/// The entrances besides the pool's own.
#[derive(Default)]
pub(super) struct Subpools {
    /// Set by the pool's close: from then on a subpool is closed from birth.
    closed: bool,
    open: Vec<Arc<Entrance>>,
}

impl Shared {
    /// A second entrance. On a closed pool it is closed as well.
    pub(crate) fn add_subpool(&self, capacity: usize) -> Arc<Entrance> {
        let root = &self.root;
        let entrance = Arc::new(Entrance::new(capacity, root.nonblocking, root.max_waiting));
        let mut subpools = self.subpools.lock();
        if subpools.closed {
            let _never_counted_as_open = entrance.slots.close();
        } else {
            self.open.fetch_add(1, Ordering::Relaxed);
            subpools.open.push(Arc::clone(&entrance));
        }
        entrance
    }

    /// Closes the pool and all its subpools.
    pub(crate) fn close(&self) {
        let subpools = {
            let mut subpools = self.subpools.lock();
            subpools.closed = true;
            subpools.open.clone()
        };
        for entrance in &subpools {
            self.close_entrance(entrance);
        }
        self.close_entrance(&self.root);
    }

    pub(crate) fn close_entrance(&self, entrance: &Entrance) {
        if entrance.slots.close() {
            self.drained(entrance);
        }
    }

    /// The last slot of a closed entrance has come back.
    pub(super) fn drained(&self, entrance: &Entrance) {
        self.subpools
            .lock()
            .open
            .retain(|other| !std::ptr::eq(&raw const **other, entrance));
        // Release and Acquire: the worker that sees zero sees all that was done before.
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The stack's lock orders this against a worker about to sleep: either it is in the stack by now, or it
            // comes later and sees that the pool has ended.
            self.idle.wake_all();
        }
        self.tell_watchers();
    }

    /// Whether all entrances are closed and drained: workers have nothing to stay for.
    pub(crate) fn has_ended(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Whether it has ended and every worker has left.
    pub(crate) fn is_gone(&self) -> bool {
        self.has_ended() && self.idle.live() == 0
    }

    /// Adds one that waits for an end. It looks at the state after this and not before.
    pub(crate) fn watch(&self, waiter: &Arc<Waiter>) {
        self.watchers.lock().push(Arc::clone(waiter));
    }

    pub(crate) fn unwatch(&self, waiter: &Arc<Waiter>) {
        self.watchers
            .lock()
            .retain(|other| !Arc::ptr_eq(other, waiter));
    }

    /// Tells everybody who watches to look again.
    pub(crate) fn tell_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock());
        for waiter in watchers {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
    }
}
