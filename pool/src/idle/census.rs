//! What all workers do, counted in one word.

use crate::lane::Lane;

/// The most threads that a pool can have, one more for futures not counted.
pub(crate) const MAX_THREADS: usize = u16::MAX as usize - 1;

/// What all workers do, in one word, so that a look at it is of one instant.
///
/// | bits | |
/// |---|---|
/// | 0 to 15 | searching: looking for work and not yet asleep |
/// | 16 to 31 | sleeping: in the stack |
/// | 32 to 47 | live: all threads, those that are being started too |
/// | 48 to 63 | occupied: inside closures, and not to be counted on for anything else |
///
/// `sleeping` and `live` change under the lock of the stack only.
#[derive(Clone, Copy)]
pub(super) struct Census(pub(super) u64);

pub(super) const SEARCHING: u64 = 1;
pub(super) const SLEEPING: u64 = 1 << 16;
pub(super) const LIVE: u64 = 1 << 32;
pub(super) const OCCUPIED: u64 = 1 << 48;

impl Census {
    fn field(self, shift: u32) -> usize {
        ((self.0 >> shift) & 0xffff) as usize
    }

    pub(super) fn searching(self) -> usize {
        self.field(0)
    }

    pub(super) fn sleeping(self) -> usize {
        self.field(16)
    }

    pub(super) fn live(self) -> usize {
        self.field(32)
    }

    pub(super) fn occupied(self) -> usize {
        self.field(48)
    }

    /// All but the sleepers.
    fn awake(self) -> usize {
        self.live() - self.sleeping()
    }

    /// Whether every worker that is awake is inside a closure.
    fn all_occupied(self) -> bool {
        self.awake() == self.occupied()
    }

    /// Whether work that was just pushed needs another worker, where `max` may be inside closures at once.
    pub(super) fn wants_help(self, lane: Lane, max: usize) -> bool {
        self.searching() == 0
            && match lane {
                Lane::Closures => self.awake() < max && self.occupied() < max,
                Lane::Futures => self.awake() < max || self.all_occupied(),
            }
    }

    /// Whether a thread may be started for it: one more than `max` only for futures, while all others are inside
    /// closures, and only one.
    pub(super) fn may_start(self, lane: Lane, max: usize, has_extra: bool) -> bool {
        self.live() < max || (lane == Lane::Futures && !has_extra && self.all_occupied())
    }
}
