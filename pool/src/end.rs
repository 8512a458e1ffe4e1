//! How a task ended.

use crate::unwind::{self, Payload};

pub(crate) enum End {
    Completed,
    /// The payload, unless somebody has it already.
    Panicked(Option<Payload>),
    /// Given up before it was done.
    Cancelled,
    /// Dropped, because its pool was to begin nothing more.
    Discarded,
    /// Already counted: [`Turn::end`] was called, here or by the task that waits for this one and ran it.
    Counted,
}

impl End {
    /// Runs a job to its end, panics included.
    pub(crate) fn of(job: impl Job, turn: &impl Turn) -> Self {
        unwind::catch(|| job.run(turn)).unwrap_or_else(|payload| Self::Panicked(Some(payload)))
    }
}

/// Where a task is counted, and what it has a slot for.
pub(crate) trait Turn {
    /// The task can no longer be cancelled, and runs from here on.
    fn begin(&self);

    /// Counts the end of the task and releases its slot, without calling foreign code. Call it under the lock that makes
    /// the end visible, so that a joiner finds the slot free. Call it at most once in a turn; if it is not called, the
    /// [`End`] that the job or the output returns is counted.
    fn end(&self, end: &End);
}

/// Of a task that ends when its pool is gone: there is nothing to count it in, and no slot.
pub(crate) struct NoTurn;

impl Turn for NoTurn {
    fn begin(&self) {}

    fn end(&self, _end: &End) {}
}

/// What is to be done at the turn of a task that is a closure.
pub(crate) trait Job: Send + 'static {
    /// Whether it calls [`Turn::end`], or returns [`End::Counted`].
    const ENDS_TURN: bool;

    /// Runs it. Calls [`Turn::begin`] unless there is nothing to run any more. A panic of the task may pass through.
    fn run(self, turn: &impl Turn) -> End;

    /// Drops it undone, because its pool begins nothing more.
    fn discard(self, turn: &impl Turn) -> End;

    /// Returns whether another thread has ended it, counted the end and released the slot. Then it may only be dropped.
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

/// What a task that is a future returns. Its handle is notified after the future is dropped.
pub(crate) trait Output {
    fn settle(self, turn: &impl Turn) -> End;
}

impl Output for () {
    fn settle(self, _turn: &impl Turn) -> End {
        End::Completed
    }
}
