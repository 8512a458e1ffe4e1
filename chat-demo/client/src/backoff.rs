//! Random exponential backoff, so that thousands of clients do not reconnect at once.

use std::time::Duration;

use fastrand::Rng;

/// The longest wait that a server can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
/// The shortest wait: clients without a wait would overload the server.
const SHORTEST: Duration = Duration::from_millis(1);

/// Random waits up to a bound that doubles with each failure.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    rng: Rng,
}

impl Backoff {
    /// Creates waits of at most `first`, then twice that, up to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, rng: Rng) -> Self {
        Self {
            first: first.max(SHORTEST),
            longest: longest.max(SHORTEST),
            failures: 0,
            rng,
        }
    }

    /// Returns the wait before the next attempt: the time that the server asked for, plus a random
    /// time.
    pub fn next(&mut self, asked: Duration) -> Duration {
        let bound = 2_u32
            .checked_pow(self.failures)
            .and_then(|factor| self.first.checked_mul(factor))
            .map_or(self.longest, |bound| bound.min(self.longest));
        self.failures = self.failures.saturating_add(1);
        asked.min(LONGEST_ASKED) + bound.mul_f64(self.rng.f64())
    }

    /// Reports how long a connection lasted. A long one resets the bound; a short one counts as a
    /// failure.
    pub fn lasted(&mut self, time: Duration) {
        if time >= self.longest {
            self.reset();
        }
    }

    /// Resets the bound.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NONE: Duration = Duration::ZERO;

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(SECOND, 10 * SECOND, Rng::with_seed(seed))
    }

    /// Returns the longest wait of many clients after a number of failures.
    fn longest_of_many(failures: u32) -> Duration {
        let wait = |seed| {
            let mut backoff = backoff(seed);
            backoff.failures = failures;
            backoff.next(NONE)
        };
        (0..1000).map(wait).max().expect("there are some")
    }

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        for (failures, bound) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (5, 10), (99, 10)] {
            let (longest, bound) = (longest_of_many(failures), bound * SECOND);
            assert!(longest <= bound, "{longest:?} after {failures}");
            assert!(
                longest > bound.mul_f64(0.99),
                "{longest:?} after {failures}"
            );
        }
    }

    #[test]
    fn a_wait_is_anything_up_to_its_bound() {
        let mut tenths = [0; 10];
        for seed in 0..1000 {
            let wait = backoff(seed).next(NONE).as_millis();
            tenths[usize::try_from(wait / 100).expect("it is small")] += 1;
        }
        assert!(tenths.iter().all(|&count| count > 50), "{tenths:?}");
    }

    #[test]
    fn the_same_seed_waits_alike() {
        let waits = |seed| {
            let mut backoff = backoff(seed);
            [(); 5].map(|()| backoff.next(NONE))
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn the_server_s_wait_is_kept_up_to_a_bound() {
        for seed in 0..100 {
            let wait = backoff(seed).next(5 * SECOND);
            assert!((5 * SECOND..=6 * SECOND).contains(&wait), "{wait:?}");
        }
        assert!(backoff(0).next(Duration::MAX) <= LONGEST_ASKED + SECOND);
    }

    #[test]
    fn only_a_connection_that_lasted_begins_anew() {
        let mut backoff = backoff(0);
        for _ in 0..5 {
            backoff.next(NONE);
        }
        backoff.lasted(9 * SECOND);
        assert_eq!(backoff.failures, 5);
        backoff.lasted(10 * SECOND);
        assert_eq!(backoff.failures, 0);
    }

    #[test]
    fn settings_of_zero_do_wait_a_little() {
        let mut backoff = Backoff::new(NONE, NONE, Rng::with_seed(1));
        assert!(backoff.next(NONE) > NONE);
    }
}
