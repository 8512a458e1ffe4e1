//! Turns a policy's proposals into few changes within bounds.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::policy::Policy;
use super::reason::Reason;
use super::sample::Sample;

/// A change in the direction of the previous one needs the hysteresis divided by this.
const SAME_DIRECTION: f64 = 4.0;

/// Turns the proposals of a policy into changes of a limit. It has no clock: time advances by
/// [`Sample::elapsed`].
///
/// ```
/// use std::time::Duration;
///
/// use anthill::tuner::{Control, Sample, Stepped};
///
/// let mut control = Control::new(Stepped::default()).bounds(4..=16);
/// let busy = Sample {
///     elapsed: Duration::from_secs(3),
///     in_flight: 4.0,
///     waiting: 4.0,
///     ..Sample::default()
/// };
/// let change = (0..9).find_map(|_| control.observe(4, &busy)).expect("a change");
/// assert_eq!((change.from, change.to), (4, 8));
/// ```
pub struct Control {
    policy: Box<dyn Policy>,
    bounds: Option<RangeInclusive<usize>>,
    hysteresis: f64,
    pause: Duration,
    clock: Duration,
    last_change: Option<LastChange>,
}

/// The previous change.
struct LastChange {
    at: Duration,
    up: bool,
}

/// A limit was moved.
///
/// ```
/// use anthill::tuner::{Control, Fixed, Sample};
///
/// let mut control = Control::new(Fixed(8));
/// let change = control.observe(4, &Sample::default()).expect("the policy wants 8");
/// assert_eq!(change.to_string(), "4 -> 8: it is fixed");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The limit before.
    pub from: usize,
    /// The limit after.
    pub to: usize,
    /// Why the limit was moved.
    pub reason: Reason,
    /// When, as the sum of [`Sample::elapsed`] so far.
    pub at: Duration,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from, to, reason, ..
        } = self;
        write!(f, "{from} -> {to}: {reason}")
    }
}

impl Control {
    /// Returns a control with the default settings.
    ///
    /// ```
    /// use anthill::tuner::{Control, Gradient};
    ///
    /// let control = Control::new(Gradient::default()).bounds(8..=128);
    /// ```
    #[must_use]
    pub fn new(policy: impl Policy + 'static) -> Self {
        Self {
            policy: Box::new(policy),
            bounds: None,
            hysteresis: 0.1,
            pause: Duration::from_secs(2),
            clock: Duration::ZERO,
            last_change: None,
        }
    }

    /// Sets the smallest and the largest limit. A lower bound of 0 counts as 1. An upper bound
    /// below the lower bound counts as the lower bound. By default a [`Tuner`](super::Tuner) moves
    /// the limit between 1 and four times the limit that it finds.
    ///
    /// ```
    /// use anthill::tuner::{Control, Fixed, Sample};
    ///
    /// let mut control = Control::new(Fixed(1000)).bounds(8..=128);
    /// assert_eq!(control.observe(64, &Sample::default()).unwrap().to, 128);
    /// ```
    #[must_use]
    pub fn bounds(self, bounds: RangeInclusive<usize>) -> Self {
        let first = (*bounds.start()).max(1);
        let bounds = Some(first..=(*bounds.end()).max(first));
        Self { bounds, ..self }
    }

    /// Sets the smallest change that may reverse the direction of the previous change, as a share
    /// of the limit. Default: 0.1. A change in the same direction needs a quarter of it. Smaller
    /// proposals are ignored until they have grown; a change that reaches a bound is always made.
    ///
    /// ```
    /// use anthill::tuner::{Control, Fixed, Sample};
    ///
    /// let mut control = Control::new(Fixed(70)).hysteresis(0.2);
    /// assert_eq!(control.observe(64, &Sample::default()), None);
    /// ```
    #[must_use]
    pub fn hysteresis(self, share: f64) -> Self {
        Self {
            hysteresis: share.max(0.0),
            ..self
        }
    }

    /// Sets the least time between two changes, so that the samples for the second one see the
    /// effect of the first. Default: two seconds.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use anthill::tuner::{Control, Gradient};
    ///
    /// let control = Control::new(Gradient::default()).pause(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Passes a sample to the policy and returns the change of the present `limit` that is due, if
    /// any. The control counts the returned change as made, so the caller must make it.
    ///
    /// ```
    /// use anthill::tuner::{Control, Fixed, Sample};
    ///
    /// let mut control = Control::new(Fixed(32));
    /// let change = control.observe(64, &Sample::default()).expect("half is enough");
    /// assert_eq!((change.from, change.to), (64, 32));
    /// ```
    pub fn observe(&mut self, limit: usize, sample: &Sample) -> Option<Change> {
        self.clock += sample.elapsed;
        let bounds = self.bounds.clone().unwrap_or(1..=usize::MAX);
        let proposal = self.policy.propose(sample, &bounds);
        let (lowest, highest) = (*bounds.start(), *bounds.end());
        if !bounds.contains(&limit) {
            return Some(self.change(limit, limit.clamp(lowest, highest), Reason::Bounds));
        }
        let proposal = proposal?;
        let to = proposal.limit.clamp(lowest, highest);
        let at_bound = to == lowest || to == highest;
        if to == limit || (!proposal.at_once && !self.is_due(limit, to, at_bound)) {
            return None;
        }
        Some(self.change(limit, to, proposal.reason))
    }

    /// Bounds the limit by four times the limit that it has, unless bounds were set.
    pub(super) fn or_bounds_around(mut self, limit: usize) -> Self {
        self.bounds
            .get_or_insert(1..=limit.saturating_mul(4).max(1));
        self
    }

    fn is_due(&self, limit: usize, to: usize, at_bound: bool) -> bool {
        let step = to.abs_diff(limit) as f64 / limit.max(1) as f64;
        let Some(last) = &self.last_change else {
            return at_bound || step >= self.hysteresis;
        };
        let goes_on = last.up == (to > limit);
        let least = if goes_on {
            self.hysteresis / SAME_DIRECTION
        } else {
            self.hysteresis
        };
        self.clock.saturating_sub(last.at) >= self.pause && (at_bound || step >= least)
    }

    fn change(&mut self, from: usize, to: usize, reason: Reason) -> Change {
        self.last_change = Some(LastChange {
            at: self.clock,
            up: to > from,
        });
        Change {
            from,
            to,
            reason,
            at: self.clock,
        }
    }
}

impl<P: Policy + 'static> From<P> for Control {
    fn from(policy: P) -> Self {
        Self::new(policy)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("bounds", &self.bounds)
            .field("hysteresis", &self.hysteresis)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Proposal;
    use super::*;

    /// Proposes the limits of a script, one after the other.
    struct Script(Vec<(usize, bool)>);

    impl Policy for Script {
        fn propose(&mut self, _: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
            let (limit, at_once) = self.0.remove(0);
            let reason = Reason::Other("as written".into());
            Some(Proposal {
                limit,
                reason,
                at_once,
            })
        }
    }

    /// Returns the limit after each sample of one second.
    fn limits(script: &[(usize, bool)], mut limit: usize) -> Vec<usize> {
        let mut control = Control::new(Script(script.to_vec())).bounds(10..=100);
        let second = Sample {
            elapsed: Duration::from_secs(1),
            ..Sample::default()
        };
        let observe = |_| {
            limit = control
                .observe(limit, &second)
                .map_or(limit, |change| change.to);
            limit
        };
        script.iter().map(observe).collect()
    }

    #[test]
    fn proposals_are_clamped_to_the_bounds() {
        assert_eq!(limits(&[(1000, false)], 50), [100]);
        assert_eq!(limits(&[(0, false)], 50), [10]);
        assert_eq!(limits(&[(0, true)], 50), [10]);
    }

    #[test]
    fn limit_outside_the_bounds_is_clamped_at_once() {
        assert_eq!(limits(&[(500, false), (500, false)], 500), [100, 100]);
        assert_eq!(limits(&[(1, false)], 1), [10]);
    }

    #[test]
    fn small_changes_wait_until_they_have_grown() {
        assert_eq!(
            limits(&[(52, false), (54, false), (55, false)], 50),
            [50, 50, 55]
        );
        // The last step to a bound is made even if it is small.
        assert_eq!(limits(&[(100, false)], 99), [100]);
    }

    #[test]
    fn changes_keep_the_pause_between_them() {
        let script = [(60, false), (70, false), (80, false), (90, false)];
        assert_eq!(limits(&script, 50), [60, 60, 80, 80]);
    }

    #[test]
    fn urgent_proposals_skip_pause_and_hysteresis() {
        assert_eq!(
            limits(&[(51, true), (50, true), (51, true)], 50),
            [51, 50, 51]
        );
    }

    #[test]
    fn invalid_bounds_are_corrected() {
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "the test is about such a range"
        )]
        let control = Control::new(Script(Vec::new())).bounds(7..=3);
        assert_eq!(control.bounds, Some(7..=7));
        let control = Control::new(Script(Vec::new())).bounds(0..=0);
        assert_eq!(control.bounds, Some(1..=1));
    }
}
