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
    /// Runs a closure to its end.
    pub(crate) fn of<E: Into<Self>>(f: impl FnOnce() -> E) -> Self {
        unwind::catch(|| f().into()).unwrap_or_else(|payload| Self::Panicked(Some(payload)))
    }
}
