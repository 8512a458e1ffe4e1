//! The layout of the two slot words.

/// The largest capacity. It means "unlimited", because no machine has memory for as many tasks.
pub const UNLIMITED: usize = (1 << 31) - 1;

/// A slot word.
///
/// | bits | in `acquired` | in `released` |
/// |---|---|---|
/// | 0 | closed | closed |
/// | 1 | the line has waiters | the line has waiters |
/// | 2 to 32 | taken slots, reserved ones included | released slots, not yet reclaimed |
/// | 33 to 63 | capacity | while closed: the count at which the pool is drained |
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(pub u64);

pub const CLOSED: u64 = 1;
pub const LINE: u64 = 1 << 1;
pub const ONE: u64 = 1 << 2;
pub const COUNT_MASK: u64 = (UNLIMITED as u64) << 2;
const LIMIT_SHIFT: u32 = 33;
pub const LIMIT_MASK: u64 = (UNLIMITED as u64) << LIMIT_SHIFT;

impl Word {
    pub fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub fn has_line(self) -> bool {
        self.0 & LINE != 0
    }

    pub fn count(self) -> usize {
        ((self.0 & COUNT_MASK) >> 2) as usize
    }

    /// The limit of the count.
    pub fn limit(self) -> usize {
        (self.0 >> LIMIT_SHIFT) as usize
    }

    pub fn with_limit(self, limit: usize) -> Self {
        Self(self.0 & !LIMIT_MASK | (limit.min(UNLIMITED) as u64) << LIMIT_SHIFT)
    }

    /// In `acquired`: the capacity as requested, `usize::MAX` if unlimited.
    pub fn capacity(self) -> usize {
        match self.limit() {
            UNLIMITED => usize::MAX,
            limited => limited,
        }
    }

    /// In `acquired`: whether `count` slots are free.
    #[inline]
    pub fn has_free(self, count: usize) -> bool {
        self.count() + count <= self.limit()
    }

    /// In `released`: whether the pool is closed and all slots are released.
    pub fn is_drained(self) -> bool {
        self.is_closed() && self.count() == self.limit()
    }
}
