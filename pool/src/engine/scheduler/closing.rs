//! Adds, closes, discards and reopens entrances.

use std::collections::BTreeMap;

use super::{Scheduler, Shared, run};
use crate::engine::entrance::Entrance;
use crate::engine::priority::Priority;
use crate::engine::queues::Uses;
use crate::engine::seat::Seat;
use crate::errors::ReopenError;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::wait::Waiter;

/// The entrances of subpools.
#[derive(Default)]
pub struct Subpools {
    /// The number of threads that discard queued tasks now.
    discarding: usize,
    /// Set when the pool closes. A subpool that is added later starts closed.
    closed: bool,
    /// Subpools that are not drained, by entrance id. Ids increase, so this is their order of
    /// creation.
    open: BTreeMap<usize, Arc<Entrance>>,
}

/// What happens to tasks that have not begun when an entrance closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnClose {
    Run,
    Discard,
}

/// The rest of a close. It wakes waiters, which runs foreign code, so it must happen after the lock
/// is released.
struct Closing<'a> {
    shared: &'a Shared,
    entrance: &'a Entrance,
    drained: bool,
    refused: Vec<Arc<Waiter>>,
}

impl Closing<'_> {
    fn finish(self) {
        for waiter in self.refused {
            waiter.wake();
        }
        if self.drained {
            self.shared.drained(self.entrance);
        }
    }
}

impl Scheduler {
    /// Discards the queued tasks of a pool that discards, so that they do not wait for a worker.
    pub fn discard_queued(&self) {
        // Blocks `reopen`, or this loop could take tasks that were accepted after it.
        self.subpools.lock().discarding += 1;
        // Enter the runtime as a worker does, because values that a task owns may use the reactor
        // when dropped.
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

    /// Discards closures that wait because their subpool runs its maximum of closures.
    fn discard_capped(&self, seat: &Seat) {
        if !self.root.is_discarding() {
            return;
        }
        // No subpool reopens meanwhile, because the pool stays closed until `discarding` is 0.
        let open = self.subpools.lock().open.clone();
        for entrance in open.values() {
            entrance.run_waiting(seat);
        }
    }

    /// Reopens a subpool, or the pool itself for `None`.
    pub fn reopen(&self, subpool: Option<&Arc<Entrance>>) -> Result<(), ReopenError> {
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
    /// Adds a subpool. On a closed pool it starts closed.
    pub fn add_subpool(&self, entrance: Entrance) -> Arc<Entrance> {
        if entrance.priority != Priority::Normal {
            // Before the first push, or workers skip the queues of other priorities.
            self.queues.uses().add(Uses::PRIORITIES);
        }
        let entrance = Arc::new(entrance);
        let mut subpools = self.subpools.lock();
        if subpools.closed {
            let (_never_counted_as_open, _refused) = entrance.slots.close();
        } else {
            self.open.fetch_add(1, Ordering::Relaxed);
            subpools.open.insert(entrance.id(), Arc::clone(&entrance));
        }
        entrance
    }

    /// Closes the pool and all its subpools. Returns how often the pool was reopened before.
    pub fn close(&self, on_close: OnClose) -> u64 {
        let mut subpools = self.subpools.lock();
        subpools.closed = true;
        let open = subpools.open.clone();
        let entrances = open.values().map(|entrance| &**entrance);
        let closed: Vec<_> = entrances
            .chain([&self.root])
            .map(|entrance| self.close_locked(entrance, on_close))
            .collect();
        let life = self.root.reopened.get();
        drop(subpools);
        for closed in closed {
            closed.finish();
        }
        life
    }

    /// Closes a subpool. Returns how often it was reopened before.
    pub fn close_entrance(&self, entrance: &Entrance, on_close: OnClose) -> u64 {
        let subpools = self.subpools.lock();
        let closed = self.close_locked(entrance, on_close);
        let life = entrance.reopened.get();
        drop(subpools);
        closed.finish();
        life
    }

    /// Closes one entrance. The caller holds the lock of `subpools`, which serializes close,
    /// discard and reopen.
    fn close_locked<'a>(&'a self, entrance: &'a Entrance, on_close: OnClose) -> Closing<'a> {
        if on_close == OnClose::Discard {
            entrance.set_discarding(true);
        }
        let (drained, refused) = entrance.slots.close();
        Closing {
            shared: self,
            entrance,
            drained,
            refused,
        }
    }

    /// Handles the release of the last slot of a closed entrance.
    pub fn drained(&self, entrance: &Entrance) {
        let mut subpools = self.subpools.lock();
        // The entrance may have been reopened since.
        if entrance.slots.is_drained() {
            subpools.open.remove(&entrance.id());
        }
        drop(subpools);
        // Release and Acquire: a worker that reads 0 sees everything that happened before each
        // entrance was drained.
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The lock of the stack orders this with a worker about to sleep. Either `wake_all`
            // finds the worker in the stack, or the worker checks later and sees that the pool has
            // ended.
            self.idle.wake_all();
        }
        self.watchers.notify_all();
    }

    /// Reopens the pool's own entrance.
    fn reopen_root(&self) -> Result<(), ReopenError> {
        let mut subpools = self.subpools.lock();
        if subpools.discarding > 0 {
            return Err(ReopenError::Discarding);
        }
        self.reopen_entrance(&self.root)?;
        subpools.closed = false;
        Ok(())
    }

    /// Reopens a subpool.
    fn reopen_subpool(&self, entrance: &Arc<Entrance>) -> Result<(), ReopenError> {
        let mut subpools = self.subpools.lock();
        if subpools.closed {
            return Err(ReopenError::PoolClosed);
        }
        self.reopen_entrance(entrance)?;
        subpools.open.insert(entrance.id(), Arc::clone(entrance));
        Ok(())
    }

    /// Reopens one entrance. The caller holds the lock of `subpools`.
    fn reopen_entrance(&self, entrance: &Entrance) -> Result<(), ReopenError> {
        if !entrance.slots.is_closed() {
            return Ok(());
        }
        if entrance.is_discarding() && !entrance.slots.is_drained() {
            return Err(ReopenError::Discarding);
        }
        entrance.set_discarding(false);
        // Count the entrance before it accepts tasks. Otherwise a worker could see that the pool
        // has ended and exit while a task is queued.
        self.open.fetch_add(1, Ordering::AcqRel);
        entrance.reopened.add();
        if !entrance.slots.reopen() {
            // The entrance was not drained, so it was still counted.
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Returns the subpool with this entrance id, unless it is drained.
    pub fn subpool(&self, id: usize) -> Option<Arc<Entrance>> {
        self.subpools.lock().open.get(&id).cloned()
    }

    /// Returns whether all entrances are closed and drained, so that workers can exit.
    pub fn has_ended(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Returns whether all entrances are drained and every thread has run the destructors of its
    /// thread-locals.
    pub fn is_gone(&self) -> bool {
        self.has_ended() && self.idle.is_deserted() && self.watchers.have_all_exited()
    }
}
