//! A limit by how long tasks take.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::policy::{Policy, Proposal, bounded};
use super::reason::Reason;
use super::sample::Sample;

/// Samples that the usual latency is the mean of at first, before it has a past.
const WARM_UP: u32 = 10;
/// What a usual latency is multiplied with that is more than twice the present one.
const RECOVERY: f64 = 0.95;
/// The fastest fall.
const STEEPEST: f64 = 0.5;

/// A limit by how long tasks take, against how long they used to.
///
/// While they take no longer, the limit grows by the room for a short queue; when they do, it shrinks in proportion. It stays
/// while less than half of it is used: then it is not the limit that holds anything back. The latency is the mean time
/// in the pool.
///
/// It finds a limit that nobody knows, and follows one that changes, such as a database's. As its measure is the past, it
/// slowly takes a crowd for the rule when all it ever sees is a crowd: give it an upper bound.
///
/// The algorithm is Gradient2 of Netflix' [concurrency-limits](https://github.com/Netflix/concurrency-limits), with a
/// queue that grows with the root of the limit.
#[derive(Clone, Debug)]
pub struct Gradient {
    tolerance: f64,
    smoothing: f64,
    window: u32,
    limit: Option<f64>,
    usual: Usual,
}

/// A mean that forgets.
#[derive(Clone, Debug, Default)]
struct Usual {
    seconds: f64,
    samples: u32,
}

impl Usual {
    /// Takes a latency into a mean over about so many.
    fn enter(&mut self, seconds: f64, window: u32) {
        self.samples = self.samples.saturating_add(1);
        if self.samples <= WARM_UP {
            self.seconds += (seconds - self.seconds) / f64::from(self.samples);
        } else {
            self.seconds += (seconds - self.seconds) * 2.0 / (f64::from(window) + 1.0);
        }
    }
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            tolerance: 1.5,
            smoothing: 0.2,
            window: 600,
            limit: None,
            usual: Usual::default(),
        }
    }
}

impl Gradient {
    /// How many times the usual latency is still as usual; 1.5 unless told otherwise, at least 1.
    #[must_use]
    pub fn tolerance(self, times: f64) -> Self {
        Self {
            // Infinity times a usual latency of zero would be no number.
            tolerance: if times.is_nan() {
                1.0
            } else {
                times.clamp(1.0, f64::MAX)
            },
            ..self
        }
    }

    /// How much of what a sample speaks for is done, from 0, nothing, to 1, all of it; 0.2 unless told otherwise.
    #[must_use]
    pub fn smoothing(self, share: f64) -> Self {
        Self {
            smoothing: if share.is_nan() {
                0.0
            } else {
                share.clamp(0.0, 1.0)
            },
            ..self
        }
    }

    /// How many samples what is usual is the mean of, about; 600 unless told otherwise, at least 10.
    #[must_use]
    pub fn window(self, samples: u32) -> Self {
        Self {
            window: samples.max(WARM_UP),
            ..self
        }
    }
}

impl Policy for Gradient {
    fn propose(&mut self, sample: &Sample, bounds: &RangeInclusive<usize>) -> Option<Proposal> {
        let latency = sample.latency()?;
        let seconds = latency.as_secs_f64();
        self.usual.enter(seconds, self.window);
        if seconds <= 0.0 {
            return None;
        }
        // After a slow while, or what was slow would be the rule for long.
        if self.usual.seconds > 2.0 * seconds {
            self.usual.seconds *= RECOVERY;
        }
        // Changes that are still held back make the two differ; if they differ by more, another has set the limit.
        let real = sample.limit as f64;
        let limit = self.limit.unwrap_or(real).clamp(real / 2.0, real * 2.0);
        if sample.in_flight < limit / 2.0 {
            return None;
        }
        let gradient = (self.tolerance * self.usual.seconds / seconds).clamp(STEEPEST, 1.0);
        let queue = limit.sqrt().max(1.0);
        let wanted = limit * gradient + queue;
        let limit = bounded(limit + self.smoothing * (wanted - limit), bounds);
        self.limit = Some(limit);
        let usual = Duration::try_from_secs_f64(self.usual.seconds).unwrap_or(Duration::MAX);
        let reason = if gradient < 1.0 {
            Reason::Crowded { latency, usual }
        } else {
            Reason::Room { latency, usual }
        };
        Some(Proposal::new(limit, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(limit: usize, in_flight: f64, millis: u64) -> Sample {
        // As many a second as make that latency.
        let ended = in_flight * 1000.0 / millis as f64;
        Sample {
            elapsed: Duration::from_secs(1),
            ended: super::super::policy::whole(ended) as u64,
            in_flight,
            limit,
            ..Sample::default()
        }
    }

    /// The limit after so many samples, each of which fills it.
    fn filled(policy: &mut Gradient, mut limit: usize, samples: u32, millis: u64) -> usize {
        for _ in 0..samples {
            let sample = sample(limit, limit as f64, millis);
            if let Some(proposal) = policy.propose(&sample, &(4..=200)) {
                limit = proposal.limit;
            }
        }
        limit
    }

    #[test]
    fn a_limit_that_is_used_up_grows_while_tasks_take_no_longer() {
        let mut policy = Gradient::default();
        let grown = filled(&mut policy, 20, 10, 10);
        assert!((28..=32).contains(&grown), "{grown}");
        assert_eq!(filled(&mut policy, grown, 200, 10), 200);
    }

    #[test]
    fn one_that_is_not_used_stays() {
        let mut policy = Gradient::default();
        assert_eq!(policy.propose(&sample(20, 9.0, 10), &(4..=200)), None);
    }

    #[test]
    fn it_falls_when_tasks_take_longer_and_comes_back() {
        let mut policy = Gradient::default();
        let usual = filled(&mut policy, 50, 20, 10);
        let crowded = filled(&mut policy, usual, 20, 40);
        assert!(crowded < usual / 3, "{usual} -> {crowded}");
        let again = filled(&mut policy, crowded, 60, 10);
        assert!(again >= usual, "{usual} -> {crowded} -> {again}");
    }

    #[test]
    fn a_little_longer_is_as_usual() {
        let mut policy = Gradient::default();
        let usual = filled(&mut policy, 50, 20, 10);
        assert!(filled(&mut policy, usual, 5, 14) > usual);
    }

    #[test]
    fn bounds_hold_inside_too() {
        let mut policy = Gradient::default();
        filled(&mut policy, 50, 300, 10);
        // It has not run away beyond 200 and so is back below it at once.
        assert!(filled(&mut policy, 200, 2, 40) < 190);
    }

    #[test]
    fn nothing_is_learned_from_few_tasks() {
        let mut policy = Gradient::default();
        assert_eq!(policy.propose(&sample(4, 2.0, 1000), &(4..=200)), None);
        assert_eq!(policy.usual.samples, 0);
    }
}
