//! An entrance: slots of its own on shared workers. A pool has one, and one more for each subpool.

use std::time::Instant;

use crate::admission::{Joined, NoSlot, Slots};
use crate::engine::activity::ID_STEP;
use crate::engine::cap::Cap;
use crate::engine::priority::Priority;
use crate::errors::SlotError;
use crate::figures::{Counter, Rejections};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wait::Spin;
use crate::wait::blocking;
use crate::wait::{Outcome, Waiter};

/// How long a submitter may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    None,
    Until(Instant),
    Endless,
}

/// The load of an entrance, for balancing. Orders from least to most loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Load {
    /// A slot is free; holds the number of taken slots.
    Free(usize),
    /// No slot is free; holds the number of taken slots and waiting submitters.
    Full(usize),
    Closed,
}

#[derive(Debug)]
pub struct Entrance {
    /// Unique and never reused, so that a stale id matches no later entrance. 0 means no entrance.
    id: usize,
    pub slots: Slots,
    /// The priority of its closures.
    pub priority: Priority,
    /// Whether a plain submit returns `Full` instead of blocking.
    pub nonblocking: bool,
    pub max_waiting: usize,
    /// The queue of closures beyond the limit of running closures. `None` without a limit. Boxed
    /// because few entrances have one.
    pub cap: Option<Box<Cap>>,
    /// Whether tasks that have not begun are dropped instead of run. Set by a close, reset before a
    /// reopen.
    discarding: AtomicBool,
    /// How often it was reopened.
    pub reopened: Counter,
    pub rejections: Rejections,
}

impl Entrance {
    pub fn new(capacity: usize, priority: Priority, nonblocking: bool, max_waiting: usize) -> Self {
        // `std`'s atomic, even in models, because it orders nothing. Starts above 0, which means no
        // entrance.
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(ID_STEP);
        Self {
            id: NEXT.fetch_add(ID_STEP, std::sync::atomic::Ordering::Relaxed),
            slots: Slots::new(capacity),
            priority,
            nonblocking,
            max_waiting,
            cap: None,
            discarding: AtomicBool::new(false),
            reopened: Counter::default(),
            rejections: Rejections::default(),
        }
    }

    pub fn id(&self) -> usize {
        self.id
    }

    /// Returns how long a plain submit may wait.
    pub fn plain(&self) -> Patience {
        if self.nonblocking {
            Patience::None
        } else {
            Patience::Endless
        }
    }

    /// Returns the load now. Its parts may be read at different instants, so it is only a hint.
    pub fn load(&self) -> Load {
        if self.slots.is_closed() {
            return Load::Closed;
        }
        let (taken, capacity) = self.slots.rough_usage();
        match self.slots.waiting() {
            0 if taken < capacity => Load::Free(taken),
            waiting => Load::Full(taken + waiting),
        }
    }

    /// Takes a slot, and blocks for one as long as `patience` allows. Does not count a refusal.
    /// `on_worker` returns whether the calling thread is a worker that other tasks need.
    pub fn enter(
        &self,
        patience: Patience,
        count: usize,
        on_worker: impl FnOnce() -> bool,
    ) -> Result<(), SlotError> {
        match self.slots.try_acquire(count) {
            Err(NoSlot::Full) if patience != Patience::None => {
                self.wait(patience, count, on_worker)
            }
            settled => Ok(settled?),
        }
    }

    fn wait(
        &self,
        patience: Patience,
        count: usize,
        on_worker: impl FnOnce() -> bool,
    ) -> Result<(), SlotError> {
        if on_worker() {
            // The awaited slot may belong to the task that this worker runs.
            return Err(SlotError::WouldDeadlock);
        }
        // Check before joining the line, or a panic leaves a waiter there that takes a slot.
        blocking::check();
        let mut spin = Spin::submitter(self.slots.capacity());
        while spin.turn() {
            if !self.slots.seem_free() {
                continue;
            }
            match self.slots.try_acquire(count) {
                Err(NoSlot::Full) => {}
                settled => return Ok(settled?),
            }
        }
        let waiter = Arc::new(Waiter::thread());
        let joined = self.slots.join_line(&waiter, self.max_waiting, count)?;
        let Joined::Waiting(ticket) = joined else {
            return Ok(());
        };
        let deadline = match patience {
            Patience::Until(deadline) => Some(deadline),
            Patience::Endless | Patience::None => None,
        };
        let outcome = match waiter.wait(deadline) {
            None if self.slots.leave_line(ticket) => return Err(SlotError::Timeout),
            // The deadline passed while the wait was being settled. Use a granted slot, or it
            // leaks.
            None => waiter.outcome(),
            settled => settled,
        };
        match outcome.expect("a waiter that has left the line is settled") {
            Outcome::Granted => Ok(()),
            Outcome::Closed => Err(SlotError::Closed),
            Outcome::TooMany => Err(SlotError::TooMany),
        }
    }

    pub fn is_discarding(&self) -> bool {
        // Relaxed, here and below. A task accepted after a reopen synchronizes through `acquired`
        // of the slots, which `reopen` writes after this flag. For tasks accepted before, either
        // value is correct.
        self.discarding.load(Ordering::Relaxed)
    }

    pub fn set_discarding(&self, yes: bool) {
        self.discarding.store(yes, Ordering::Relaxed);
    }

    /// Counts a refusal and returns it.
    pub fn count(&self, refusal: SlotError) -> SlotError {
        let counter: &Counter = match refusal {
            SlotError::Full | SlotError::TooMany => &self.rejections.full,
            SlotError::Closed => &self.rejections.closed,
            SlotError::Timeout => &self.rejections.timeout,
            SlotError::WouldDeadlock => &self.rejections.would_deadlock,
        };
        counter.add();
        refusal
    }
}
