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
    /// Runs a job to its end, panics included.
    pub(crate) fn of(job: impl Job) -> Self {
        unwind::catch(|| job.run()).unwrap_or_else(|payload| Self::Panicked(Some(payload)))
    }
}

/// What is to be done at the turn of a task that is a closure.
pub(crate) trait Job: Send + 'static {
    /// Runs it. Its panic may go through.
    fn run(self) -> End;

    /// Drops it undone, for its pool begins nothing more.
    fn discard(self) -> End;
}

impl<F, E> Job for F
where
    F: FnOnce() -> E + Send + 'static,
    E: Into<End>,
{
    fn run(self) -> End {
        self().into()
    }

    fn discard(self) -> End {
        End::Discarded
    }
}
