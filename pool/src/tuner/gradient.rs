//! A policy that follows the latency of tasks.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::policy::{Policy, Proposal, bounded};
use super::reason::Reason;
use super::sample::Sample;

/// The share of the wanted change that each sample makes.
const SMOOTHING: f64 = 0.2;
/// The number of first samples whose plain mean is the usual latency.
const WARM_UP: u32 = 10;
/// Factor of the usual latency while it is more than twice the present one.
const RECOVERY: f64 = 0.95;
/// The smallest gradient: a limit at most halves.
const MIN_GRADIENT: f64 = 0.5;

/// Sets the limit by comparing the present latency of tasks with the usual one.
///
/// While the latency is as usual, the limit grows by the room for a short queue. When the latency
/// rises, the limit shrinks in proportion. The limit stays while less than half of it is in use,
/// because then it holds no task back. The latency is the mean time in the pool.
///
/// The policy finds a limit that is unknown or changes, such as a database's. Its reference is the
/// past, so under constant overload it slowly accepts the overload as usual: set an upper bound.
///
/// The algorithm is Gradient2 of Netflix'
/// [concurrency-limits](https://github.com/Netflix/concurrency-limits), with a queue that grows
/// with the square root of the limit.
///
/// ```
/// use std::time::Duration;
///
/// use anthill::tuner::{Control, Gradient, Sample};
///
/// let mut control = Control::new(Gradient::default()).bounds(8..=128);
/// let full = Sample {
///     elapsed: Duration::from_secs(1),
///     ended: 640,
///     in_flight: 64.0,
///     limit: 64,
///     ..Sample::default()
/// };
/// // Tasks take 100 ms, as usual, so there is room for more.
/// let change = (0..10).find_map(|_| control.observe(64, &full));
/// assert!(change.unwrap().to > 64);
/// ```
#[derive(Clone, Debug)]
pub struct Gradient {
    tolerance: f64,
    window: u32,
    limit: Option<f64>,
    usual: MovingAverage,
}

/// An exponential moving average.
#[derive(Clone, Debug, Default)]
struct MovingAverage {
    seconds: f64,
    samples: u32,
}

impl MovingAverage {
    /// Adds a latency to an average over about `window` samples.
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
            window: 600,
            limit: None,
            usual: MovingAverage::default(),
        }
    }
}

impl Gradient {
    /// Sets how many times the usual latency still counts as usual. Default: 1.5. At least 1.
    ///
    /// ```
    /// use anthill::tuner::Gradient;
    ///
    /// let policy = Gradient::default().tolerance(2.0);
    /// ```
    #[must_use]
    pub fn tolerance(self, times: f64) -> Self {
        Self {
            // Infinity times a usual latency of zero is NaN.
            tolerance: if times.is_nan() {
                1.0
            } else {
                times.clamp(1.0, f64::MAX)
            },
            ..self
        }
    }

    /// Sets over about how many samples the usual latency is averaged. Default: 600. At least 10.
    ///
    /// ```
    /// use anthill::tuner::Gradient;
    ///
    /// let policy = Gradient::default().window(120);
    /// ```
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
        // Recover faster after a slow period, or its latency would count as usual for long.
        if self.usual.seconds > 2.0 * seconds {
            self.usual.seconds *= RECOVERY;
        }
        // The two differ while changes are held back. If they differ by more, other code has set
        // the limit.
        let real = sample.limit as f64;
        let limit = self.limit.unwrap_or(real).clamp(real / 2.0, real * 2.0);
        if sample.in_flight < limit / 2.0 {
            return None;
        }
        let gradient = (self.tolerance * self.usual.seconds / seconds).clamp(MIN_GRADIENT, 1.0);
        let queue = limit.sqrt().max(1.0);
        let wanted = limit * gradient + queue;
        let limit = bounded(limit + SMOOTHING * (wanted - limit), bounds);
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
        // As many tasks as give that latency by Little's law.
        let ended = in_flight * 1000.0 / millis as f64;
        Sample {
            elapsed: Duration::from_secs(1),
            ended: super::super::policy::whole(ended) as u64,
            in_flight,
            limit,
            ..Sample::default()
        }
    }

    /// Returns the limit after `samples` samples with every slot in use.
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
    fn used_limit_grows_while_latency_is_usual() {
        let mut policy = Gradient::default();
        let grown = filled(&mut policy, 20, 10, 10);
        assert!((28..=32).contains(&grown), "{grown}");
        assert_eq!(filled(&mut policy, grown, 200, 10), 200);
    }

    #[test]
    fn unused_limit_stays() {
        let mut policy = Gradient::default();
        assert_eq!(policy.propose(&sample(20, 9.0, 10), &(4..=200)), None);
    }

    #[test]
    fn limit_falls_with_higher_latency_and_recovers() {
        let mut policy = Gradient::default();
        let usual = filled(&mut policy, 50, 20, 10);
        let crowded = filled(&mut policy, usual, 20, 40);
        assert!(crowded < usual / 3, "{usual} -> {crowded}");
        let again = filled(&mut policy, crowded, 60, 10);
        assert!(again >= usual, "{usual} -> {crowded} -> {again}");
    }

    #[test]
    fn latency_within_tolerance_is_usual() {
        let mut policy = Gradient::default();
        let usual = filled(&mut policy, 50, 20, 10);
        assert!(filled(&mut policy, usual, 5, 14) > usual);
    }

    #[test]
    fn inner_limit_keeps_the_bounds() {
        let mut policy = Gradient::default();
        filled(&mut policy, 50, 300, 10);
        // The inner limit has stayed at 200, so it is below 200 at once.
        assert!(filled(&mut policy, 200, 2, 40) < 190);
    }

    #[test]
    fn samples_of_few_tasks_are_ignored() {
        let mut policy = Gradient::default();
        assert_eq!(policy.propose(&sample(4, 2.0, 1000), &(4..=200)), None);
        assert_eq!(policy.usual.samples, 0);
    }
}
