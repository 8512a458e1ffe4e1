//! Which of several shards a task goes to.

use std::cell::Cell;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread_local;

/// How a [`MultiPool`](crate::MultiPool) picks the shard for a task. A shard without a free slot is passed over,
/// whichever way it was picked.
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
    /// One after the other, from the first. For tasks that are much alike. All submitters add to one counter.
    #[default]
    RoundRobin,
    /// The one with the fewest tasks in flight and submitters waiting, the first of several. Each submit looks at all
    /// shards, so it is for few of them. One with a free slot goes before one without, and a closed one goes last.
    LeastLoaded,
    /// Of two that are drawn at random, the one that `LeastLoaded` would take. Nearly as even as that, with a look at
    /// two shards however many there are, and nothing that all submitters write to.
    PowerOfTwoChoices,
}

/// A balance at work.
#[derive(Debug)]
pub(crate) struct Picker {
    pub(crate) balance: Balance,
    /// Picks so far, where they go round.
    turns: CachePadded<AtomicUsize>,
}

impl Picker {
    pub(crate) fn new(balance: Balance) -> Self {
        Self {
            balance,
            turns: CachePadded::new(AtomicUsize::new(0)),
        }
    }

    /// Picks one of `shards`, which are one or more.
    pub(crate) fn pick<L: Ord>(&self, shards: usize, load: impl Fn(usize) -> L) -> usize {
        match self.balance {
            Balance::RoundRobin => self.turns.fetch_add(1, Ordering::Relaxed) % shards,
            Balance::LeastLoaded => (0..shards)
                .min_by_key(|&shard| load(shard))
                .expect("there is a shard"),
            Balance::PowerOfTwoChoices => {
                let (one, other) = two_of(shards, random());
                if load(other) < load(one) { other } else { one }
            }
        }
    }
}

/// Two different ones of `shards`, as `random` says; twice the same if there is but one.
fn two_of(shards: usize, random: u64) -> (usize, usize) {
    let one = below(shards, random >> 32);
    if shards == 1 {
        return (one, one);
    }
    // One of the others: those from `one` on are counted one lower.
    let other = below(shards - 1, random & u64::from(u32::MAX));
    (one, other + usize::from(other >= one))
}

/// Brings 32 random bits below `end`, as in Lemire, "Fast random integer generation in an interval", 2019.
fn below(end: usize, bits: u64) -> usize {
    ((u128::from(bits) * end as u128) >> 32) as usize
}

/// The step of splitmix64, and its mixer: Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014, with the constants of Vigna's `splitmix64.c`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

thread_local! {
    /// Where the calling thread is in its random numbers; 0 before the first. A state for all would be one more word
    /// at which they meet.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static STATE: Cell<u64> = Cell::new(0);
}

fn random() -> u64 {
    STATE.with(|state| {
        let last = match state.get() {
            // The address is another one in every thread, which is all that is asked of a seed.
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
    fn round_robin_goes_round_from_the_first() {
        let picker = Picker::new(Balance::RoundRobin);
        let picks: Vec<_> = (0..7).map(|_| picker.pick(3, |_| 0)).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn least_loaded_takes_the_first_of_the_least() {
        let picker = Picker::new(Balance::LeastLoaded);
        assert_eq!(picker.pick(4, |shard| [3, 1, 2, 1][shard]), 1);
        assert_eq!(picker.pick(4, |_| 5), 0);
    }

    #[test]
    fn of_two_choices_the_most_loaded_is_never_taken_and_every_other_is() {
        let picker = Picker::new(Balance::PowerOfTwoChoices);
        let mut picks = [0; 4];
        for _ in 0..1000 {
            picks[picker.pick(4, |shard| [1, 1, 9, 1][shard])] += 1;
        }
        assert_eq!(picks[2], 0);
        assert!(picks.iter().filter(|&&count| count > 0).count() == 3);
    }

    #[test]
    fn of_one_shard_there_is_no_choice() {
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
    fn every_pair_of_different_shards_is_drawn() {
        let mut drawn = [[0_u32; 4]; 4];
        for draw in 1..=12_000_u64 {
            let (one, other) = two_of(4, mix(draw.wrapping_mul(STEP)));
            drawn[one][other] += 1;
        }
        for (one, row) in drawn.iter().enumerate() {
            for (other, &times) in row.iter().enumerate() {
                // A thousand each, were it perfectly even.
                assert!(if one == other {
                    times == 0
                } else {
                    times > 800
                });
            }
        }
    }

    #[test]
    fn the_ends_of_the_random_numbers_are_the_ends_of_the_shards() {
        assert_eq!(two_of(3, 0), (0, 1));
        assert_eq!(two_of(3, u64::MAX), (2, 1));
        assert_eq!(two_of(1, u64::MAX), (0, 0));
    }

    #[test]
    fn the_mixer_is_that_of_splitmix64() {
        // The first three numbers of Vigna's program from seed 0.
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
    fn every_thread_draws_numbers_of_its_own() {
        let here = random();
        let next = random();
        let there = std::thread::spawn(random).join().unwrap();
        assert!(here != next && here != there && next != there);
    }
}
