//! The two words of the slots, as they are read.

/// The largest capacity. It stands for "unlimited": nobody has memory for as many tasks.
const UNLIMITED: usize = (1 << 31) - 1;

/// A word.
///
/// | bits | of `entered` | of `left` |
/// |---|---|---|
/// | 0 | closed | closed |
/// | 1 | somebody is in line | somebody is in line |
/// | 2 to 32 | slots taken, by tasks and by those that hold one in reserve | those of them that have come back |
/// | 33 to 63 | capacity | while it is closed: how many have come back when the last one has |
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

pub(super) const CLOSED: u64 = 1;
pub(super) const LINE: u64 = 1 << 1;
pub(super) const ONE: u64 = 1 << 2;
pub(super) const COUNT_MASK: u64 = (UNLIMITED as u64) << 2;
const LIMIT_SHIFT: u32 = 33;
pub(super) const LIMIT_MASK: u64 = (UNLIMITED as u64) << LIMIT_SHIFT;

impl Word {
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) fn has_line(self) -> bool {
        self.0 & LINE != 0
    }

    pub(super) fn count(self) -> usize {
        ((self.0 & COUNT_MASK) >> 2) as usize
    }

    /// What the count may come to.
    pub(super) fn limit(self) -> usize {
        (self.0 >> LIMIT_SHIFT) as usize
    }

    pub(super) fn with_limit(self, limit: usize) -> Self {
        Self(self.0 & !LIMIT_MASK | (limit.min(UNLIMITED) as u64) << LIMIT_SHIFT)
    }

    /// Of `entered`; `usize::MAX` when unlimited, as it was asked for.
    pub(super) fn capacity(self) -> usize {
        match self.limit() {
            UNLIMITED => usize::MAX,
            limited => limited,
        }
    }

    /// Of `entered`.
    pub(super) fn has_free(self) -> bool {
        self.count() < self.limit()
    }

    /// Of `left`: whether all have come back from a closed pool.
    pub(super) fn is_drained(self) -> bool {
        self.is_closed() && self.count() == self.limit()
    }
}
