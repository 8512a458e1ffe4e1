//! Chooses the shard for a task.

use std::cell::Cell;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread_local;

/// How a [`MultiPool`](crate::MultiPool) picks the shard for a task. With every policy, a shard
/// without a free slot is skipped while another has one.
///
/// ```
/// use anthill::{Balance, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().build_multi(2, Balance::LeastLoaded)?;
/// let _busy = pool.shards()[0].try_slot()?;
/// pool.submit(|| ())?;
/// assert_eq!(pool.shards()[1].stats().accepted, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// The next shard in turn, starting with the first. It suits tasks of similar cost. All
    /// submitters add to one counter.
    #[default]
    RoundRobin,
    /// The shard with the fewest tasks in flight plus waiting submitters; the first of several.
    /// Shards with a free slot go first, closed shards last. Each submit reads all shards, so it
    /// suits few shards.
    LeastLoaded,
    /// The less loaded of two random shards, by the order of `LeastLoaded`. The load is nearly as
    /// even. Each submit reads two shards and writes no shared counter.
    PowerOfTwoChoices,
}

/// Picks shards by a policy.
#[derive(Debug)]
pub(crate) struct Picker {
    pub(crate) balance: Balance,
    /// Picks so far, for `RoundRobin`.
    picks: CachePadded<AtomicUsize>,
}

impl Picker {
    pub(crate) fn new(balance: Balance) -> Self {
        Self {
            balance,
            picks: CachePadded::new(AtomicUsize::new(0)),
        }
    }

    /// Picks one of `shards` shards. Panics if there is none.
    pub(crate) fn pick<L: Ord>(&self, shards: usize, load: impl Fn(usize) -> L) -> usize {
        match self.balance {
            Balance::RoundRobin => self.picks.fetch_add(1, Ordering::Relaxed) % shards,
            Balance::LeastLoaded => (0..shards)
                .min_by_key(|&shard| load(shard))
                .expect("at least one shard"),
            Balance::PowerOfTwoChoices => {
                let (first, second) = two_distinct(shards, random());
                if load(second) < load(first) {
                    second
                } else {
                    first
                }
            }
        }
    }
}

/// Returns two different shards, chosen by `random`; the same shard twice if there is only one.
fn two_distinct(shards: usize, random: u64) -> (usize, usize) {
    let first = below(shards, random >> 32);
    if shards == 1 {
        return (first, first);
    }
    // Shards from `first` on are numbered one lower here, so that `first` cannot be drawn again.
    let second = below(shards - 1, random & u64::from(u32::MAX));
    (first, second + usize::from(second >= first))
}

/// Maps 32 random bits to a number below `end`: Lemire, "Fast random integer generation in an
/// interval", 2019.
fn below(end: usize, bits: u64) -> usize {
    ((u128::from(bits) * end as u128) >> 32) as usize
}

/// The increment of splitmix64; `mix` is its mixer. Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014, with the constants of Vigna's `splitmix64.c`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

thread_local! {
    /// The calling thread's random state; 0 before the first number. A shared state would make
    /// submitters contend on one cache line.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro rejects `const`")]
    static STATE: Cell<u64> = Cell::new(0);
}

fn random() -> u64 {
    STATE.with(|state| {
        let last = match state.get() {
            // Each thread has another address, which is enough for a seed.
            0 => std::ptr::from_ref(state).addr() as u64,
            last => last,
        };
        let next = last.wrapping_add(STEP);
        state.set(next);
        mix(next)
    })
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn round_robin_starts_with_the_first_shard() {
        let picker = Picker::new(Balance::RoundRobin);
        let picks: Vec<_> = (0..7).map(|_| picker.pick(3, |_| 0)).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn least_loaded_picks_the_first_minimum() {
        let picker = Picker::new(Balance::LeastLoaded);
        assert_eq!(picker.pick(4, |shard| [3, 1, 2, 1][shard]), 1);
        assert_eq!(picker.pick(4, |_| 5), 0);
    }

    #[test]
    fn two_choices_never_pick_the_most_loaded() {
        let picker = Picker::new(Balance::PowerOfTwoChoices);
        let mut picks = [0; 4];
        for _ in 0..1000 {
            picks[picker.pick(4, |shard| [1, 1, 9, 1][shard])] += 1;
        }
        assert_eq!(picks[2], 0);
        assert!(picks.iter().filter(|&&count| count > 0).count() == 3);
    }

    #[test]
    fn single_shard_is_always_picked() {
        for balance in [
            Balance::RoundRobin,
            Balance::LeastLoaded,
            Balance::PowerOfTwoChoices,
        ] {
            let picker = Picker::new(balance);
            assert!((0..5).all(|_| picker.pick(1, |_| 0) == 0));
        }
    }

    #[test]
    fn two_distinct_draws_all_pairs_evenly() {
        let mut drawn = [[0_u32; 4]; 4];
        for draw in 1..=12_000_u64 {
            let (first, second) = two_distinct(4, mix(draw.wrapping_mul(STEP)));
            drawn[first][second] += 1;
        }
        for (first, row) in drawn.iter().enumerate() {
            for (second, &times) in row.iter().enumerate() {
                // A perfectly even draw gives a thousand each.
                assert!(if first == second {
                    times == 0
                } else {
                    times > 800
                });
            }
        }
    }

    #[test]
    fn extreme_random_numbers_give_valid_shards() {
        assert_eq!(two_distinct(3, 0), (0, 1));
        assert_eq!(two_distinct(3, u64::MAX), (2, 1));
        assert_eq!(two_distinct(1, u64::MAX), (0, 0));
    }

    #[test]
    fn mixer_matches_splitmix64() {
        // The first three numbers of Vigna's program with seed 0.
        let numbers = [1, 2, 3].map(|turn: u64| mix(turn.wrapping_mul(STEP)));
        assert_eq!(
            numbers,
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
    }

    #[test]
    fn threads_draw_different_numbers() {
        let here = random();
        let next = random();
        let there = std::thread::spawn(random).join().unwrap();
        assert!(here != next && here != there && next != there);
    }
}
