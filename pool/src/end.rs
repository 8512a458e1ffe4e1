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
    /// It ended elsewhere, and was counted there.
    Counted,
}

/// A task without a result has returned.
impl From<()> for End {
    fn from((): ()) -> Self {
        Self::Completed
    }
}

impl End {
    /// Runs a job to its end, panics included. `begun` is called as in [`Job::run`].
    pub(crate) fn of(job: impl Job, begun: impl FnOnce()) -> Self {
        unwind::catch(|| job.run(begun)).unwrap_or_else(|payload| Self::Panicked(Some(payload)))
    }
}

/// What is to be done at the turn of a task that is a closure.
pub(crate) trait Job: Send + 'static {
    /// Runs it. Calls `begun` once the task can no longer be cancelled, and not at all if there is nothing to run. A
    /// panic of the task may pass through.
    fn run(self, begun: impl FnOnce()) -> End;

    /// Drops it undone, because its pool begins nothing more.
    fn discard(self) -> End;
}

impl<F, E> Job for F
where
    F: FnOnce() -> E + Send + 'static,
    E: Into<End>,
{
    fn run(self, begun: impl FnOnce()) -> End {
        begun();
        self().into()
    }

    fn discard(self) -> End {
        End::Discarded
    }
}
