//! How a task ended.

use crate::unwind::Payload;

pub(crate) enum End {
    Completed,
    /// The payload, unless somebody has it already.
    Panicked(Option<Payload>),
    /// Given up before it was done.
    Cancelled,
}

/// A task without a result has returned.
impl From<()> for End {
    fn from((): ()) -> Self {
        Self::Completed
    }
}
