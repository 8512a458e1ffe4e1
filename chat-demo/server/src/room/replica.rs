//! What this server knows of a room that the bus numbers.

use super::source::Joining;
use crate::bus::{Mark, Page};
use crate::epoch::Epoch;

#[derive(Default)]
pub(super) struct Replica {
    /// The epoch of the log in the bus; `None` before the log was read, or when it must be read
    /// again.
    pub(super) epoch: Option<Epoch>,
    pub(super) tip: Option<Mark>,
    /// The largest number announced in the epoch.
    pub(super) announced: u64,
    /// The number of the last announcement in the epoch.
    pub(super) last_seen: u64,
    pub(super) reading: Reading,
    pub(super) cut_off: bool,
    /// Whether this server numbers messages itself, as it always does without a bus.
    pub(super) alone: bool,
    /// Clients that joined before the state of the room is known.
    pub(super) waiting: Vec<Joining>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reading {
    #[default]
    Idle,
    Active,
    /// Something was missed since.
    AndAgain,
}

/// After which message there is something to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) seq: u64,
    pub(super) mark: Option<Mark>,
}

/// How far a room has caught up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled {
    Whole,
    InPart,
    /// There is more to take, when the members have read what they have.
    TooFast,
    /// The bus has lost messages of this epoch, and gives their numbers again: another epoch has to
    /// begin.
    WentBack(Epoch),
}

/// How a page stands to what this server knew when it asked for it.
pub(super) enum Relation {
    Follows,
    /// It is of another epoch, or begins behind messages that are not kept.
    Apart,
    /// It is of the same epoch, and does not have the newest message of the log.
    WentBack,
}

impl Replica {
    pub(super) fn new(has_bus: bool) -> Self {
        Self {
            alone: !has_bus,
            ..Self::default()
        }
    }

    pub(super) fn relation(&self, page: &Page, asked: Asked) -> Relation {
        let is_new = page.newest == 0 && asked.seq == 0;
        if page.epoch != self.epoch && !(is_new && page.epoch.is_none()) {
            return Relation::Apart;
        }
        if page.newest < asked.seq {
            return Relation::WentBack;
        }
        // An expired message has no mark any more, but the next message still follows it.
        if asked.seq > 0 && page.before.is_some() && page.before != asked.mark {
            return Relation::WentBack;
        }
        let first = page.messages.first();
        if page.newest > asked.seq && first.is_none_or(|first| first.seq > asked.seq + 1) {
            return Relation::Apart;
        }
        Relation::Follows
    }

    pub(super) fn is_known(&self) -> bool {
        self.epoch.is_some() || self.alone
    }

    /// Notes that an announcement cannot be applied. Says whether to read what was missed.
    pub(super) fn miss(&mut self) -> bool {
        if self.reading != Reading::Idle {
            // What is being read may be older than this.
            self.reading = Reading::AndAgain;
            return false;
        }
        self.is_known() && !self.alone
    }
}
