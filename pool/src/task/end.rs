//! How a task ended.

use crate::task::unwind;
use crate::task::unwind::Payload;

pub enum End {
    Completed,
    /// The payload, or `None` once a handle or scope has it.
    Panicked(Option<Payload>),
    /// Cancelled before its end.
    Cancelled,
    /// Dropped because its entrance discards.
    Discarded,
    /// Dropped because it expired before it began.
    Expired,
    /// Already counted by [`Turn::end`], in this turn or by the task that ran this one in place.
    Counted,
}

impl End {
    /// Runs a job and catches its panic.
    pub fn of(job: impl Job, turn: &impl Turn) -> Self {
        unwind::catch(|| job.run(turn)).unwrap_or_else(|payload| Self::Panicked(Some(payload)))
    }
}

/// The turn of a task: counts its end and releases its slot.
pub trait Turn {
    /// Marks the task as running. It can no longer be cancelled.
    fn begin(&self);

    /// Counts the end of the task and releases its slot, without calling foreign code. Call it
    /// under the lock that makes the end visible, so that a joiner finds the slot free. Call it at
    /// most once in a turn. If it is not called, the [`End`] that the job or the output returns is
    /// counted.
    fn end(&self, end: &End);
}

/// The turn of a task that outlives its pool, without statistics or a slot.
pub struct NoTurn;

impl Turn for NoTurn {
    fn begin(&self) {}

    fn end(&self, _end: &End) {}
}

/// A closure task, run or discarded once.
pub trait Job: Send + 'static {
    /// Whether it calls [`Turn::end`] or returns [`End::Counted`].
    const ENDS_TURN: bool;

    /// Runs the closure. Calls [`Turn::begin`] unless the task has ended already. A panic of the
    /// task may unwind through this.
    fn run(self, turn: &impl Turn) -> End;

    /// Drops the closure, because its entrance discards.
    fn discard(self, turn: &impl Turn) -> End;

    /// Returns whether another thread has ended it, counted the end and released the slot. Then it
    /// may only be dropped.
    fn is_spent(&mut self) -> bool {
        false
    }
}

impl<F: FnOnce() + Send + 'static> Job for F {
    const ENDS_TURN: bool = false;

    fn run(self, turn: &impl Turn) -> End {
        turn.begin();
        self();
        End::Completed
    }

    fn discard(self, _turn: &impl Turn) -> End {
        End::Discarded
    }
}

/// The output of a future task. `settle` notifies the handle, after the future is dropped.
pub trait Output {
    fn settle(self, turn: &impl Turn) -> End;
}

impl Output for () {
    fn settle(self, _turn: &impl Turn) -> End {
        End::Completed
    }
}
