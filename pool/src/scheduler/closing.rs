//! Entrances that come and go, and the end of all of them.

use std::collections::BTreeMap;

use super::{Scheduler, Shared, run};
use crate::entrance::Entrance;
use crate::error::ReopenError;
use crate::priority::Priority;
use crate::queues::Uses;
use crate::seat::Seat;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::waiter::Waiter;

/// The entrances besides the pool's own.
#[derive(Default)]
pub(super) struct Subpools {
    /// How many threads go through the queues of the pool and discard what is in them.
    discarding: usize,
    /// Set by the pool's close: from then on a subpool is closed from birth.
    closed: bool,
    /// Those that are not drained, by their numbers: in the order in which they were made.
    open: BTreeMap<usize, Arc<Entrance>>,
}

/// What becomes of the tasks that have not begun when an entrance closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Run,
    Discarded,
}

/// What is to be done about a close once the lock is released, for it runs foreign code.
struct Shut<'a> {
    shared: &'a Shared,
    entrance: &'a Entrance,
    drained: bool,
    sent_away: Vec<Arc<Waiter>>,
}

impl Shut<'_> {
    fn tell(self) {
        for waiter in self.sent_away {
            waiter.wake();
        }
        if self.drained {
            self.shared.drained(self.entrance);
        }
    }
}

impl Scheduler {
    /// Goes through the queues of a pool that discards, so that what is in them does not wait for a worker to come by.
    pub(crate) fn discard_queued(&self) {
        // As long as this counts the pool is not reopened: no task of a new life can be among those found here.
        self.subpools.lock().discarding += 1;
        // As on a worker: what a task owned may use the reactor when it is dropped.
        self.within(|| {
            let seat = Seat::borrow(self.clone());
            while self.root.is_discarding() {
                let Some(task) = self.queues.take_any() else {
                    break;
                };
                run(task, &seat);
            }
            self.discard_capped(&seat);
        });
        self.subpools.lock().discarding -= 1;
    }

    /// Discards what waits at subpools for others of their closures to end.
    fn discard_capped(&self, seat: &Seat) {
        if !self.root.is_discarding() {
            return;
        }
        // No subpool is opened again meanwhile: the pool is closed until `discarding` is 0.
        let open = self.subpools.lock().open.clone();
        for entrance in open.values() {
            entrance.run_waiting(seat);
        }
    }

    /// Opens an entrance again, the pool's own or a subpool.
    pub(crate) fn reopen(&self, subpool: Option<&Arc<Entrance>>) -> Result<(), ReopenError> {
        match subpool {
            None => self.reopen_root()?,
            Some(entrance) => self.reopen_subpool(entrance)?,
        }
        self.keep_fewest();
        // Waiters for the end of the last life return now.
        self.watchers.notify_all();
        Ok(())
    }
}

impl Shared {
    /// Adds a second entrance. On a closed pool it is closed as well.
    pub(crate) fn add_subpool(&self, entrance: Entrance) -> Arc<Entrance> {
        if entrance.priority != Priority::Normal {
            // Before the first push, or workers do not look at the queues of the other priorities.
            self.queues.uses().add(Uses::PRIORITIES);
        }
        let entrance = Arc::new(entrance);
        let mut subpools = self.subpools.lock();
        if subpools.closed {
            let (_never_counted_as_open, _nobody) = entrance.slots.close();
        } else {
            self.open.fetch_add(1, Ordering::Relaxed);
            subpools.open.insert(entrance.id(), Arc::clone(&entrance));
        }
        entrance
    }

    /// Closes the pool and all its subpools. Returns which of its lives that ended.
    pub(crate) fn close(&self, rest: Rest) -> u64 {
        let mut subpools = self.subpools.lock();
        subpools.closed = true;
        let open = subpools.open.clone();
        let entrances = open.values().map(|entrance| &**entrance);
        let closed: Vec<_> = entrances
            .chain([&self.root])
            .map(|entrance| self.shut(entrance, rest))
            .collect();
        let life = self.root.reopened.get();
        drop(subpools);
        for closed in closed {
            closed.tell();
        }
        life
    }

    /// Closes a subpool. Returns which of its lives that ended.
    pub(crate) fn close_entrance(&self, entrance: &Entrance, rest: Rest) -> u64 {
        let subpools = self.subpools.lock();
        let closed = self.shut(entrance, rest);
        let life = entrance.reopened.get();
        drop(subpools);
        closed.tell();
        life
    }

    /// Closes one, under the lock of `subpools`, which keeps closing, discarding and reopening apart.
    fn shut<'a>(&'a self, entrance: &'a Entrance, rest: Rest) -> Shut<'a> {
        if rest == Rest::Discarded {
            entrance.set_discarding(true);
        }
        let (drained, sent_away) = entrance.slots.close();
        Shut {
            shared: self,
            entrance,
            drained,
            sent_away,
        }
    }

    /// The last slot of a closed entrance has come back.
    pub(super) fn drained(&self, entrance: &Entrance) {
        let mut subpools = self.subpools.lock();
        // It may have been opened again since.
        if entrance.slots.is_drained() {
            subpools.open.remove(&entrance.id());
        }
        drop(subpools);
        // Release and Acquire: the worker that sees zero sees all that was done before.
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The stack's lock orders this against a worker about to sleep: either it is in the stack by now, or it
            // comes later and sees that the pool has ended.
            self.idle.wake_all();
        }
        self.watchers.notify_all();
    }

    /// Opens the pool's own entrance again.
    fn reopen_root(&self) -> Result<(), ReopenError> {
        let mut subpools = self.subpools.lock();
        if subpools.discarding > 0 {
            return Err(ReopenError::Discarding);
        }
        self.unshut(&self.root)?;
        subpools.closed = false;
        Ok(())
    }

    /// Opens a subpool again.
    fn reopen_subpool(&self, entrance: &Arc<Entrance>) -> Result<(), ReopenError> {
        let mut subpools = self.subpools.lock();
        if subpools.closed {
            return Err(ReopenError::PoolClosed);
        }
        self.unshut(entrance)?;
        subpools.open.insert(entrance.id(), Arc::clone(entrance));
        Ok(())
    }

    /// Opens one, under the lock of `subpools`.
    fn unshut(&self, entrance: &Entrance) -> Result<(), ReopenError> {
        if !entrance.slots.is_closed() {
            return Ok(());
        }
        if entrance.is_discarding() && !entrance.slots.is_drained() {
            return Err(ReopenError::Discarding);
        }
        entrance.set_discarding(false);
        // Before anybody gets in: else a worker could find that all has ended, and leave a task to a successor.
        self.open.fetch_add(1, Ordering::AcqRel);
        entrance.reopened.add();
        if !entrance.slots.reopen() {
            // It was not drained, so it was still counted.
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// The subpool with this number, unless it is drained.
    pub(crate) fn subpool(&self, id: usize) -> Option<Arc<Entrance>> {
        self.subpools.lock().open.get(&id).cloned()
    }

    /// Whether all entrances are closed and drained: workers have nothing to stay for.
    pub(crate) fn has_ended(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Returns whether all entrances are drained and every thread has run the destructors of its thread-locals.
    pub(crate) fn is_gone(&self) -> bool {
        self.has_ended() && self.idle.is_deserted() && self.watchers.have_all_exited()
    }
}
