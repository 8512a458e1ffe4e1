//! The state of a task in the model, and the counters of all tasks.

use super::board::Answer;
use super::op::{Kind, Terms, Way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Returned,
    Panicked,
    /// The task was cancelled, discarded, or can no longer be woken.
    Undone,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its submitter waits for a slot.
    InLine,
    /// Its submitter is a future that was woken and has not been polled since. Holds a slot if the
    /// answer is `Ok`.
    Told(Answer),
    NeverIn,
    Queued,
    Running,
    Suspended,
    Ended(End),
}

#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each may be so without the others"
)]
pub(crate) struct Task {
    pub(crate) way: Way,
    pub(crate) kind: Kind,
    pub(crate) terms: Terms,
    pub(crate) stage: Stage,
    pub(crate) answer: Option<Answer>,
    /// The test holds its handle.
    pub(crate) handle: bool,
    /// The test holds its waker.
    pub(crate) waker: bool,
    /// A future that was woken while it was being polled.
    pub(crate) woken: bool,
    /// A future in the queue or on its way to it that will not run, because it was cancelled or can
    /// no longer be woken.
    pub(crate) dead: bool,
    /// Its captures were dropped before it ended.
    pub(crate) gone: bool,
}

impl Task {
    /// Whether its captures must have been dropped by now, without its having run to the end.
    pub(crate) fn must_be_gone(&self) -> bool {
        matches!(
            self.stage,
            Stage::NeverIn | Stage::Ended(End::Undone | End::Expired)
        )
    }

    /// Whether its handle is finished.
    pub(crate) fn is_finished(&self) -> bool {
        self.dead || matches!(self.stage, Stage::Ended(_))
    }
}

/// The counters of `Stats`, and the calls of the panic handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) accepted: u64,
    pub(crate) completed: u64,
    pub(crate) panicked: u64,
    pub(crate) cancelled: u64,
    pub(crate) discarded: u64,
    pub(crate) expired: u64,
    pub(crate) reported: u64,
    pub(crate) full: u64,
    pub(crate) closed: u64,
    pub(crate) timeout: u64,
    pub(crate) would_deadlock: u64,
}
