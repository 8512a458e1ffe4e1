//! The counts of workers by state, packed into one word.

use crate::engine::lane::Lane;

/// The maximum of threads in a pool, not counting the extra thread for futures.
pub const MAX_THREADS: usize = u16::MAX as usize - 1;

/// The counts of workers by state, packed into one word to be read at one instant.
///
/// | bits | count |
/// |---|---|
/// | 0 to 15 | searching: awake, looking for work |
/// | 16 to 31 | sleeping: on the stack |
/// | 32 to 47 | live: all threads, including threads that are starting |
/// | 48 to 63 | occupied: running closures, not available for other work |
///
/// `sleeping` and `live` change only under the stack lock.
#[derive(Clone, Copy)]
pub struct Census(pub u64);

pub const SEARCHING: u64 = 1;
pub const SLEEPING: u64 = 1 << 16;
pub const LIVE: u64 = 1 << 32;
pub const OCCUPIED: u64 = 1 << 48;

impl Census {
    fn field(self, shift: u32) -> usize {
        ((self.0 >> shift) & 0xffff) as usize
    }

    pub fn searching(self) -> usize {
        self.field(0)
    }

    pub fn sleeping(self) -> usize {
        self.field(16)
    }

    pub fn live(self) -> usize {
        self.field(32)
    }

    pub fn occupied(self) -> usize {
        self.field(48)
    }

    /// Workers that do not sleep. They include the occupied workers.
    fn awake(self) -> usize {
        let awake = self.live() - self.sleeping();
        debug_assert!(self.occupied() <= awake, "an occupied worker sleeps");
        awake
    }

    /// Whether every awake worker is occupied.
    fn all_occupied(self) -> bool {
        self.awake() == self.occupied()
    }

    /// Whether one more worker may search. At most half of the threads, or of the CPUs, search: more
    /// would take CPU time from the others. Two may always search, or each short task wakes a worker.
    pub fn may_search(self, processors: usize) -> bool {
        let half = self.live().min(processors).div_ceil(2);
        self.searching() < half.max(2)
    }

    /// Whether pushed work needs another worker, if at most `max` may be occupied.
    pub fn wants_help(self, lane: Lane, max: usize) -> bool {
        self.searching() == 0
            && match lane {
                Lane::Closures => self.awake() < max,
                Lane::Futures => self.wants_poller(max),
            }
    }

    /// Whether too few workers are awake to poll futures.
    pub fn wants_poller(self, max: usize) -> bool {
        self.awake() < max || self.all_occupied()
    }

    /// Whether more than `max` workers are awake, and two of them are free to poll futures.
    pub fn is_crowded(self, max: usize) -> bool {
        self.awake() > max && self.occupied() < max
    }

    /// Whether a thread may be started. Only for futures, while all others are occupied, one extra
    /// thread may exceed `max`.
    pub fn may_start(self, lane: Lane, max: usize, has_extra: bool) -> bool {
        self.live() < max || (lane == Lane::Futures && !has_extra && self.all_occupied())
    }
}

/// How the census counts an awake worker.
#[derive(Clone, Copy, Debug)]
pub struct Awake {
    pub searching: bool,
    pub occupied: bool,
}

impl Awake {
    pub fn counts(self) -> u64 {
        let count = |counted, unit| if counted { unit } else { 0 };
        count(self.searching, SEARCHING) + count(self.occupied, OCCUPIED)
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn two_workers_or_half_of_them_may_search() {
        let may_search = |searching, live, processors| {
            Census(searching * SEARCHING + live * LIVE).may_search(processors)
        };
        assert!(may_search(1, 2, 2));
        assert!(!may_search(2, 2, 2));
        assert!(may_search(3, 8, 64));
        assert!(!may_search(4, 8, 64));
        assert!(!may_search(4, 64, 8));
    }

    /// What a census says in a pool with a limit of two occupied workers.
    #[derive(Debug, PartialEq, Eq)]
    struct Says {
        /// For the tasks of which lanes a worker is woken, and for which a thread may be started.
        help: &'static [Lane],
        start: &'static [Lane],
        /// Which threads may be started beside the extra one.
        start_beside_extra: &'static [Lane],
        crowded: bool,
    }

    const NEITHER: &[Lane] = &[];
    const FUTURES: &[Lane] = &[Lane::Futures];
    const BOTH: &[Lane] = &Lane::ALL;

    fn says(live: u64, sleeping: u64, occupied: u64) -> Says {
        let census = Census(live * LIVE + sleeping * SLEEPING + occupied * OCCUPIED);
        let which = |answer: &dyn Fn(Lane) -> bool| match Lane::ALL.map(answer) {
            [false, false] => NEITHER,
            [true, false] => FUTURES,
            [true, true] => BOTH,
            [false, true] => panic!("closures alone"),
        };
        let searching = Census(census.0 + SEARCHING);
        assert_eq!(which(&|lane| searching.wants_help(lane, 2)), NEITHER);
        Says {
            help: which(&|lane| census.wants_help(lane, 2)),
            start: which(&|lane| census.may_start(lane, 2, false)),
            start_beside_extra: which(&|lane| census.may_start(lane, 2, true)),
            crowded: census.is_crowded(2),
        }
    }

    #[test]
    fn workers_below_the_limit_want_help_and_threads() {
        let all = Says {
            help: BOTH,
            start: BOTH,
            start_beside_extra: BOTH,
            crowded: false,
        };
        for census in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1)] {
            let (live, sleeping, occupied) = census;
            assert_eq!(says(live, sleeping, occupied), all, "{census:?}");
        }
    }

    #[test]
    fn workers_at_the_limit_want_no_threads() {
        let none = Says {
            help: NEITHER,
            start: NEITHER,
            start_beside_extra: NEITHER,
            crowded: false,
        };
        assert_eq!(says(2, 1, 0), Says { help: BOTH, ..none });
        assert_eq!(says(3, 2, 0), Says { help: BOTH, ..none });
        for census in [(2, 0, 0), (2, 0, 1), (3, 1, 1), (3, 0, 2)] {
            let (live, sleeping, occupied) = census;
            assert_eq!(says(live, sleeping, occupied), none, "{census:?}");
        }
    }

    #[test]
    fn one_thread_is_wanted_for_futures_while_all_are_occupied() {
        for census in [(2, 0, 2), (3, 1, 2), (3, 0, 3)] {
            let (live, sleeping, occupied) = census;
            let futures = Says {
                help: FUTURES,
                start: FUTURES,
                start_beside_extra: NEITHER,
                crowded: false,
            };
            assert_eq!(says(live, sleeping, occupied), futures, "{census:?}");
        }
    }

    #[test]
    fn workers_beyond_the_limit_are_crowded_if_two_are_free() {
        for census in [(3, 0, 0), (3, 0, 1), (4, 1, 1)] {
            let (live, sleeping, occupied) = census;
            assert!(says(live, sleeping, occupied).crowded, "{census:?}");
        }
    }
}
