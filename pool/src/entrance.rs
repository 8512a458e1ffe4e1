//! An entrance: a bound of its own on the same workers. A pool has one, and one more for each subpool.

use std::time::Instant;

use crate::activity::ID_STEP;
use crate::cap::Cap;
use crate::error::SlotError;
use crate::priority::Priority;
use crate::slots::{Joined, NoSlot, Slots};
use crate::spin::Spin;
use crate::stats::{Counter, Rejections};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::waiter::{Outcome, Waiter};

/// How long a submitter is ready to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Until(Instant),
    Endless,
}

/// How much an entrance has to do, for those who choose between several. The least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    /// A slot is free; so many are taken.
    Free(usize),
    /// None is free; so many are taken or waited for.
    Full(usize),
    Closed,
}

#[derive(Debug)]
pub(crate) struct Entrance {
    /// A number that no other entrance ever had.
    id: usize,
    pub(crate) slots: Slots,
    /// Of its closures.
    pub(crate) priority: Priority,
    /// What a plain submit does when no slot is free.
    pub(crate) nonblocking: bool,
    pub(crate) max_waiting: usize,
    /// Where closures wait if there is a limit of how many workers they occupy. In a box: few entrances have one.
    pub(crate) cap: Option<Box<Cap>>,
    /// Whether tasks that have not begun are dropped instead of run. Set with a close, and reset before a reopen.
    discarding: AtomicBool,
    /// How often it was opened again.
    pub(crate) reopened: Counter,
    pub(crate) rejections: Rejections,
}

impl Entrance {
    pub(crate) fn new(
        capacity: usize,
        priority: Priority,
        nonblocking: bool,
        max_waiting: usize,
    ) -> Self {
        // The standard library's, also in a model: it orders nothing. 0 stands for no entrance.
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

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// How patient a plain submit is.
    pub(crate) fn plain(&self) -> Patience {
        if self.nonblocking {
            Patience::None
        } else {
            Patience::Endless
        }
    }

    /// What it has to do now. Its parts may be of different instants: it is a hint, and never what lets a task in.
    pub(crate) fn load(&self) -> Load {
        if self.slots.is_closed() {
            return Load::Closed;
        }
        let (taken, capacity) = self.slots.rough_usage();
        match self.slots.waiting() {
            0 if taken < capacity => Load::Free(taken),
            waiting => Load::Full(taken + waiting),
        }
    }

    /// Takes a slot, as patiently as asked; a refusal is not counted yet. `on_worker` says whether the calling thread is one that tasks need.
    pub(crate) fn enter(
        &self,
        patience: Patience,
        on_worker: impl FnOnce() -> bool,
    ) -> Result<(), SlotError> {
        match self.slots.try_acquire() {
            Err(NoSlot::Full) if patience != Patience::None => self.wait(patience, on_worker),
            settled => Ok(settled?),
        }
    }

    fn wait(&self, patience: Patience, on_worker: impl FnOnce() -> bool) -> Result<(), SlotError> {
        if on_worker() {
            // The slot that it would wait for may be that of the very task which it is running.
            return Err(SlotError::WouldDeadlock);
        }
        let mut spin = Spin::submitter();
        while spin.turn() {
            if !self.slots.seem_free() {
                continue;
            }
            match self.slots.try_acquire() {
                Err(NoSlot::Full) => {}
                settled => return Ok(settled?),
            }
        }
        let waiter = Arc::new(Waiter::thread());
        let Joined::Waiting(ticket) = self.slots.join_line(&waiter, self.max_waiting)? else {
            return Ok(());
        };
        let deadline = match patience {
            Patience::Until(deadline) => Some(deadline),
            Patience::Endless | Patience::None => None,
        };
        let outcome = match waiter.wait(deadline) {
            None if self.slots.leave_line(ticket) => return Err(SlotError::Timeout),
            // The deadline passed while the wait was being settled: what was granted is used.
            None => waiter.outcome(),
            settled => settled,
        };
        match outcome.expect("a waiter that is not in line any more has been settled") {
            Outcome::Granted => Ok(()),
            Outcome::Closed => Err(SlotError::Closed),
        }
    }

    pub(crate) fn is_discarding(&self) -> bool {
        // Relaxed, here and below: a task that came after a reopen came through `entered` of the slots, which was changed
        // after this; and it makes no difference which of those before it are still run.
        self.discarding.load(Ordering::Relaxed)
    }

    pub(crate) fn set_discarding(&self, yes: bool) {
        self.discarding.store(yes, Ordering::Relaxed);
    }

    /// Counts a refusal that the submitter gets.
    pub(crate) fn count(&self, refusal: SlotError) -> SlotError {
        let counter: &Counter = match refusal {
            SlotError::Full => &self.rejections.full,
            SlotError::Closed => &self.rejections.closed,
            SlotError::Timeout => &self.rejections.timeout,
            SlotError::WouldDeadlock => &self.rejections.would_deadlock,
        };
        counter.add();
        refusal
    }
}
