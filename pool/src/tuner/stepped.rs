//! A policy with a table of limits by load.

use std::fmt;
use std::ops::RangeInclusive;

use super::policy::{Policy, Proposal};
use super::reason::Reason;
use super::sample::Sample;

/// How far the load must fall below a step's lower bound to leave the step.
const MARGIN: f64 = 0.05;
/// Weight of each sample in the average.
const WEIGHT: f64 = 0.3;

/// Chooses the limit from a table, by the load.
///
/// The load is a score from 0 to 1: tasks in the pool plus waiting submitters, as a share of the
/// largest limit in the table. [`by`](Self::by) replaces the score. The score is smoothed, and a
/// step is left only when the score is clearly below it.
///
/// ```
/// use anthill::Pool;
/// use anthill::tuner::{Stepped, Target, Tuner};
///
/// # fn main() -> Result<(), anthill::BuildError> {
/// let pool = Pool::builder().capacity(64).build()?;
/// let policy = Stepped::new([(0.3, 64), (0.7, 256)], 1024);
/// let tuner = Tuner::new(&pool, Target::Capacity, policy);
/// # Ok(())
/// # }
/// ```
pub struct Stepped {
    /// The exclusive upper bound of each step's score, rising, and its limit.
    steps: Vec<(f64, usize)>,
    /// The limit above the last bound.
    top: usize,
    score: Box<dyn FnMut(&Sample) -> f64 + Send>,
    mean: Option<f64>,
    step: Option<usize>,
}

impl Stepped {
    /// Returns a policy with this table: each step has an exclusive upper bound of the score and a
    /// limit. The bounds rise. `top` is the limit for higher scores.
    ///
    /// ```
    /// use anthill::tuner::Stepped;
    ///
    /// // The same as `Stepped::default()`.
    /// let policy = Stepped::new([(0.3, 4), (0.7, 8)], 16);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the bounds do not rise.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = (f64, usize)>, top: usize) -> Self {
        let steps: Vec<_> = steps.into_iter().collect();
        assert!(
            steps.is_sorted_by(|lower, upper| lower.0 < upper.0),
            "the bounds of the steps must rise: {steps:?}"
        );
        let limits = steps.iter().map(|step| step.1);
        let largest = limits.chain([top]).max().unwrap_or(top).max(1) as f64;
        Self {
            steps,
            top,
            score: Box::new(move |sample| sample.demand() / largest),
            mean: None,
            step: None,
        }
    }

    /// Replaces the score. A value outside 0 to 1 is clamped; NaN ignores the sample.
    ///
    /// ```
    /// use anthill::tuner::{Sample, Stepped};
    ///
    /// // The busiest resource counts.
    /// let policy = Stepped::default().by(|sample: &Sample| {
    ///     let demand = sample.demand() / 16.0;
    ///     demand.max(sample.probe.memory.unwrap_or(0.0))
    /// });
    /// ```
    #[must_use]
    pub fn by(self, score: impl FnMut(&Sample) -> f64 + Send + 'static) -> Self {
        let score = Box::new(score);
        Self { score, ..self }
    }

    /// Returns the index of the step that the score is on.
    fn step_of(&self, score: f64) -> usize {
        self.steps.partition_point(|step| step.0 <= score)
    }
}

/// A limit of 4 below a load of 0.3, 8 below 0.7, and 16 above.
impl Default for Stepped {
    fn default() -> Self {
        Self::new([(0.3, 4), (0.7, 8)], 16)
    }
}

impl Policy for Stepped {
    fn propose(&mut self, sample: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        let now = (self.score)(sample).clamp(0.0, 1.0);
        if now.is_nan() {
            // NaN would stay in the mean forever.
            return None;
        }
        let score = self.mean.map_or(now, |mean| mean + WEIGHT * (now - mean));
        self.mean = Some(score);
        // Just below a bound both steps are right, and the present one is kept.
        let (least, most) = (self.step_of(score), self.step_of(score + MARGIN));
        let step = self.step.map_or(least, |step| step.clamp(least, most));
        self.step = Some(step);
        let limit = self.steps.get(step).map_or(self.top, |step| step.1);
        Some(Proposal::new(limit as f64, Reason::Load { score }))
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped")
            .field("steps", &self.steps)
            .field("top", &self.top)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(loads: &[f64]) -> Vec<usize> {
        let mut policy = Stepped::default();
        let limit = |load: &f64| {
            let sample = Sample {
                in_flight: 16.0 * load,
                ..Sample::default()
            };
            // Long enough for the mean to converge.
            let last = (0..40).map(|_| policy.propose(&sample, &(1..=16))).last();
            last.flatten().expect("a limit").limit
        };
        loads.iter().map(limit).collect()
    }

    #[test]
    fn load_selects_the_limit() {
        assert_eq!(
            limits(&[0.0, 0.5, 0.9, 7.0, 0.5, 0.1]),
            [4, 8, 16, 16, 8, 4]
        );
    }

    #[test]
    fn step_is_kept_just_below_its_bound() {
        assert_eq!(limits(&[0.29, 0.31, 0.29, 0.26, 0.24]), [4, 8, 8, 8, 4]);
        assert_eq!(limits(&[0.71, 0.66, 0.64]), [16, 16, 8]);
    }

    #[test]
    fn single_sample_is_smoothed() {
        let mut policy = Stepped::default();
        let mut propose = |in_flight| {
            let sample = Sample {
                in_flight,
                ..Sample::default()
            };
            policy.propose(&sample, &(1..=16)).expect("a limit").limit
        };
        assert_eq!(propose(1.0), 4);
        assert_eq!(propose(10.0), 4, "a mean of 0.23");
        assert_eq!(propose(10.0), 8, "a mean of 0.35");
        assert_eq!(propose(2.0), 8, "a mean of 0.28");
        assert_eq!(propose(2.0), 4, "a mean of 0.23");
    }

    #[test]
    #[should_panic(expected = "must rise")]
    fn falling_bounds_panic() {
        let _ = Stepped::new([(0.7, 4), (0.3, 8)], 16);
    }
}
