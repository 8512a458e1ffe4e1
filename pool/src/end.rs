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
    /// [`Turn::end`] was called, here or by the one that waits for the task and ran it.
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

    /// The task has ended. Counts it and gives back its slot, and calls no foreign code: whoever tells of the end calls
    /// it under the lock that makes the end visible, so that who was told finds the slot free. Once in a turn; without
    /// it, what the job or the output returns is counted when that has returned.
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
    /// Whether it calls [`Turn::end`], or returns that somebody has.
    const ENDS_TURN: bool;

    /// Runs it. Calls [`Turn::begin`] unless there is nothing to run any more. A panic of the task may pass through.
    fn run(self, turn: &impl Turn) -> End;

    /// Drops it undone, because its pool begins nothing more.
    fn discard(self, turn: &impl Turn) -> End;
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

/// What a task that is a future returns. It is told when the future is gone.
pub(crate) trait Output {
    fn tell(self, turn: &impl Turn) -> End;
}

impl Output for () {
    fn tell(self, _turn: &impl Turn) -> End {
        End::Completed
    }
}
