//! A policy that follows failures.

use std::ops::RangeInclusive;

use super::policy::{Policy, Proposal, bounded};
use super::reason::Reason;
use super::sample::Sample;

/// Samples without growth after a cut. Each growth beyond the limit of the resource costs failures.
const HOLD: u32 = 4;

/// Raises the limit by a constant while few tasks fail, and lowers it by a factor when many fail.
///
/// Tasks report failures through [`Failures`](super::Failures). The limit grows only while at least
/// half of it is in use, because otherwise it holds no task back.
///
/// Changes are made at once, without [`Control::pause`](super::Control::pause) and
/// [`Control::hysteresis`](super::Control::hysteresis). Failures in the sample after a cut are
/// ignored, because its tasks began under the previous limit. The limit grows again four samples
/// after a cut.
///
/// The policy finds the limit of a resource that refuses requests or times out under overload. It
/// needs failures: a resource that only slows down lets the limit grow to its upper bound. Report
/// slow answers as failures there, or use [`Gradient`](super::Gradient).
///
/// The algorithm is additive increase, multiplicative decrease: D.-M. Chiu and R. Jain, "Analysis of
/// the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks", 1989. The
/// factor and the condition for growth are those of `AIMDLimit` in Netflix'
/// [concurrency-limits](https://github.com/Netflix/concurrency-limits). That one adapts after each
/// request; this one after each sample.
///
/// ```
/// use std::time::Duration;
///
/// use anthill::tuner::{Aimd, Control, Sample};
///
/// let mut control = Control::new(Aimd::default()).bounds(8..=128);
/// let failing = Sample {
///     elapsed: Duration::from_secs(1),
///     ended: 640,
///     failed: 32,
///     in_flight: 64.0,
///     limit: 64,
///     ..Sample::default()
/// };
/// let change = control.observe(64, &failing).expect("one of 20 tasks failed");
/// assert_eq!(change.to_string(), "64 -> 57: 32 failures in 640 tasks");
/// ```
#[derive(Clone, Debug)]
pub struct Aimd {
    step: f64,
    factor: f64,
    tolerance: f64,
    counts_expired: bool,
    /// Samples until the limit may grow after a cut.
    hold: u32,
}

impl Default for Aimd {
    fn default() -> Self {
        Self {
            step: 1.0,
            factor: 0.9,
            tolerance: 0.01,
            counts_expired: false,
            hold: 0,
        }
    }
}

impl Aimd {
    /// Sets how much the limit grows in a sample. Default: 1.
    ///
    /// ```
    /// use anthill::tuner::Aimd;
    ///
    /// // For limits of some hundred.
    /// let policy = Aimd::default().step(10);
    /// ```
    #[must_use]
    pub fn step(self, slots: u32) -> Self {
        Self {
            step: f64::from(slots),
            ..self
        }
    }

    /// Sets the factor of a cut, from 0.1 to 0.99. Default: 0.9.
    ///
    /// ```
    /// use anthill::tuner::Aimd;
    ///
    /// // TCP halves its window.
    /// let policy = Aimd::default().factor(0.5);
    /// ```
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        Self {
            factor: if factor.is_nan() {
                0.9
            } else {
                factor.clamp(0.1, 0.99)
            },
            ..self
        }
    }

    /// Sets the share of failures, of the tasks that end, up to which the limit grows. Default:
    /// 0.01.
    ///
    /// ```
    /// use anthill::tuner::Aimd;
    ///
    /// // One task in twenty fails even without load.
    /// let policy = Aimd::default().tolerance(0.1);
    /// ```
    #[must_use]
    pub fn tolerance(self, share: f64) -> Self {
        Self {
            tolerance: share.max(0.0),
            ..self
        }
    }

    /// Counts tasks that [expired](crate::Slot::expires_at) as failures too.
    ///
    /// A smaller capacity makes submitters wait outside instead of in the queue, where tasks
    /// expire. Do not use it to tune threads, because expired tasks then need more of them.
    ///
    /// ```
    /// use anthill::tuner::{Aimd, Control, Sample};
    ///
    /// let mut control = Control::new(Aimd::default().count_expired());
    /// let late = Sample { ended: 100, expired: 30, limit: 50, ..Sample::default() };
    /// assert_eq!(control.observe(50, &late).unwrap().to, 45);
    /// ```
    #[must_use]
    pub fn count_expired(self) -> Self {
        Self {
            counts_expired: true,
            ..self
        }
    }

    fn failures(&self, sample: &Sample) -> u64 {
        let expired = if self.counts_expired {
            sample.expired
        } else {
            0
        };
        sample.failed.saturating_add(expired)
    }
}

impl Policy for Aimd {
    fn propose(&mut self, sample: &Sample, bounds: &RangeInclusive<usize>) -> Option<Proposal> {
        let real = sample.limit as f64;
        let failures = self.failures(sample);
        // More failures than ended tasks are possible, because a task may report several.
        let fails = failures as f64 > self.tolerance * sample.ended as f64;
        let (has_cut, holds) = (self.hold == HOLD, self.hold > 0);
        self.hold = self.hold.saturating_sub(1);
        let (limit, reason) = if fails {
            if has_cut {
                return None;
            }
            self.hold = HOLD;
            let ended = sample.ended;
            // Round down, or small limits would not shrink.
            let limit = (real * self.factor).floor();
            (limit, Reason::Failing { failures, ended })
        } else {
            // Without tasks that ended, nothing is known about the resource.
            let is_used = sample.ended > 0 && sample.in_flight >= real / 2.0;
            if holds || !is_used {
                return None;
            }
            (real + self.step, Reason::FewFailures)
        };
        let proposal = Proposal::new(bounded(limit, bounds), reason);
        Some(Proposal {
            at_once: true,
            ..proposal
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(limit: usize, ended: u64, failed: u64) -> Sample {
        Sample {
            ended,
            failed,
            in_flight: limit as f64,
            limit,
            ..Sample::default()
        }
    }

    /// Returns the proposed limit.
    fn propose(policy: &mut Aimd, sample: &Sample) -> Option<usize> {
        let proposal = policy.propose(sample, &(1..=100))?;
        assert!(proposal.at_once);
        Some(proposal.limit)
    }

    #[test]
    fn used_limit_grows_by_the_step_without_failures() {
        let mut policy = Aimd::default();
        assert_eq!(propose(&mut policy, &sample(20, 100, 0)), Some(21));
        assert_eq!(propose(&mut policy, &sample(21, 100, 0)), Some(22));
        assert_eq!(propose(&mut policy, &sample(100, 100, 0)), Some(100));
        let mut policy = Aimd::default().step(5);
        assert_eq!(propose(&mut policy, &sample(20, 100, 0)), Some(25));
    }

    #[test]
    fn unused_limit_and_empty_sample_stay() {
        let mut policy = Aimd::default();
        let unused = Sample {
            in_flight: 9.0,
            ..sample(20, 100, 0)
        };
        assert_eq!(propose(&mut policy, &unused), None);
        assert_eq!(propose(&mut policy, &sample(20, 0, 0)), None);
    }

    #[test]
    fn failures_cut_the_limit() {
        let cut = |mut policy: Aimd, sample| propose(&mut policy, &sample);
        assert_eq!(cut(Aimd::default(), sample(50, 100, 2)), Some(45));
        let half = Aimd::default().factor(0.5);
        assert_eq!(cut(half, sample(50, 0, 1)), Some(25), "no task ended");
        assert_eq!(cut(Aimd::default(), sample(2, 9, 9)), Some(1));
        assert_eq!(cut(Aimd::default(), sample(1, 9, 9)), Some(1), "the bound");
    }

    #[test]
    fn limit_grows_again_four_samples_after_a_cut() {
        let mut policy = Aimd::default();
        assert_eq!(propose(&mut policy, &sample(50, 100, 9)), Some(45));
        for _ in 0..4 {
            assert_eq!(propose(&mut policy, &sample(45, 100, 0)), None);
        }
        assert_eq!(propose(&mut policy, &sample(45, 100, 0)), Some(46));
    }

    #[test]
    fn sample_after_a_cut_causes_no_second_cut() {
        let mut policy = Aimd::default();
        assert_eq!(propose(&mut policy, &sample(50, 100, 9)), Some(45));
        assert_eq!(propose(&mut policy, &sample(45, 100, 9)), None);
        assert_eq!(propose(&mut policy, &sample(45, 100, 9)), Some(40));
    }

    #[test]
    fn failures_within_the_tolerance_let_the_limit_grow() {
        let mut policy = Aimd::default();
        assert_eq!(propose(&mut policy, &sample(50, 100, 1)), Some(51));
        let mut policy = Aimd::default().tolerance(0.0);
        assert_eq!(propose(&mut policy, &sample(50, 100, 1)), Some(45));
    }

    #[test]
    fn expired_tasks_count_only_if_asked_for() {
        let late = Sample {
            expired: 50,
            ..sample(50, 100, 0)
        };
        assert_eq!(propose(&mut Aimd::default(), &late), Some(51));
        let mut policy = Aimd::default().count_expired();
        assert_eq!(propose(&mut policy, &late), Some(45));
    }
}
