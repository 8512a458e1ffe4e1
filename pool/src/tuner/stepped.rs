//! A limit for each load.

use std::fmt;
use std::ops::RangeInclusive;

use super::policy::{Policy, Proposal};
use super::reason::Reason;
use super::sample::Sample;

/// How far below a step's bound the load must fall for the step to be left.
const MARGIN: f64 = 0.05;
/// Of each sample, in the mean that is looked at.
const WEIGHT: f64 = 0.3;

/// Limits by the load, in steps.
///
/// The load is a score from 0 to 1: tasks that are there or wait outside, as a share of the largest limit, unless
/// [`by`](Self::by) says otherwise. It is smoothed, and a step is left only when the score is clearly below.
pub struct Stepped {
    /// Up to which score, exclusive, which limit; rising.
    steps: Vec<(f64, usize)>,
    /// The limit above all.
    top: usize,
    score: Box<dyn FnMut(&Sample) -> f64 + Send>,
    mean: Option<f64>,
    step: Option<usize>,
}

impl Stepped {
    /// A table: the limit for scores below each bound, bounds rising, and the limit for all above.
    ///
    /// ```
    /// use anthill::tuner::Stepped;
    ///
    /// // What `Stepped::default()` is.
    /// let policy = Stepped::new([(0.3, 4), (0.7, 8)], 16);
    /// ```
    ///
    /// # Panics
    ///
    /// When the bounds do not rise.
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

    /// Measures the load otherwise.
    ///
    /// ```
    /// use anthill::tuner::{Sample, Stepped};
    ///
    /// // The busiest of what there is.
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

    /// The number of the step that a score is on.
    fn step_of(&self, score: f64) -> usize {
        self.steps.partition_point(|step| step.0 <= score)
    }
}

/// Below a load of 0.3: 4; below 0.7: 8; above: 16.
impl Default for Stepped {
    fn default() -> Self {
        Self::new([(0.3, 4), (0.7, 8)], 16)
    }
}

impl Policy for Stepped {
    fn propose(&mut self, sample: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        let now = (self.score)(sample).clamp(0.0, 1.0);
        if now.is_nan() {
            // It would stay in the mean.
            return None;
        }
        let score = self.mean.map_or(now, |mean| mean + WEIGHT * (now - mean));
        self.mean = Some(score);
        // Just below a bound both steps are right, and the one that is taken is kept.
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
            // Until the mean has come there.
            let last = (0..40).map(|_| policy.propose(&sample, &(1..=16))).last();
            last.flatten().expect("a limit").limit
        };
        loads.iter().map(limit).collect()
    }

    #[test]
    fn each_load_has_its_limit() {
        assert_eq!(
            limits(&[0.0, 0.5, 0.9, 7.0, 0.5, 0.1]),
            [4, 8, 16, 16, 8, 4]
        );
    }

    #[test]
    fn a_step_is_kept_just_below_its_bound() {
        assert_eq!(limits(&[0.29, 0.31, 0.29, 0.26, 0.24]), [4, 8, 8, 8, 4]);
        assert_eq!(limits(&[0.71, 0.66, 0.64]), [16, 16, 8]);
    }

    #[test]
    fn one_sample_is_not_the_load() {
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
    fn bounds_that_fall_are_refused() {
        let _ = Stepped::new([(0.7, 4), (0.3, 8)], 16);
    }
}
