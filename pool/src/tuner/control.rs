//! What a policy's proposals become: few changes, within bounds.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::policy::Policy;
use super::reason::Reason;
use super::sample::Sample;

/// How much smaller a change may be that goes on in the direction of the one before.
const ON: f64 = 4.0;

/// A policy under control. It has no clock: time is what samples say.
///
/// ```
/// use std::time::Duration;
///
/// use anthill::tuner::{Control, Sample, Stepped};
///
/// let mut control = Control::new(Stepped::default(), 4).bounds(4..=16);
/// let busy = Sample {
///     elapsed: Duration::from_secs(3),
///     in_flight: 4.0,
///     waiting: 4.0,
///     ..Sample::default()
/// };
/// let change = (0..9).find_map(|_| control.observe(&busy)).expect("a change");
/// assert_eq!((change.from, change.to), (4, 8));
/// ```
pub struct Control {
    policy: Box<dyn Policy>,
    bounds: RangeInclusive<usize>,
    hysteresis: f64,
    pause: Duration,
    limit: usize,
    clock: Duration,
    last_change: Option<Last>,
}

/// The change before.
struct Last {
    at: Duration,
    up: bool,
}

/// A limit was moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it was.
    pub from: usize,
    /// What it is.
    pub to: usize,
    /// Why.
    pub reason: Reason,
    /// When, on the clock of the samples.
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

impl Change {
    /// Whether it was made to see what it does, by a policy that tries.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.reason == Reason::Trial
    }
}

impl Control {
    /// A policy and the limit that it begins with, without bounds.
    #[must_use]
    pub fn new(policy: impl Policy + 'static, limit: usize) -> Self {
        Self {
            policy: Box::new(policy),
            bounds: 1..=usize::MAX,
            hysteresis: 0.1,
            pause: Duration::from_secs(2),
            limit,
            clock: Duration::ZERO,
            last_change: None,
        }
    }

    /// The smallest limit and the largest. Zero stands for 1, and an end below the beginning for the beginning.
    #[must_use]
    pub fn bounds(self, bounds: RangeInclusive<usize>) -> Self {
        let first = (*bounds.start()).max(1);
        let bounds = first..=(*bounds.end()).max(first);
        Self { bounds, ..self }
    }

    /// The least change that turns back, as a share of the limit; a tenth unless told otherwise. For one that goes on a
    /// quarter of it is enough. What is smaller waits until it has grown; one that reaches a bound is made, however small.
    #[must_use]
    pub fn hysteresis(self, share: f64) -> Self {
        Self {
            hysteresis: share.max(0.0),
            ..self
        }
    }

    /// The least time between two changes, so that the second is decided on what the first did. Two seconds unless told
    /// otherwise.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The limit was moved by somebody else.
    pub fn limit_is(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes a sample; the change that follows, which counts as made.
    pub fn observe(&mut self, sample: &Sample) -> Option<Change> {
        self.clock += sample.elapsed;
        let proposal = self.policy.propose(sample, &self.bounds);
        let (lowest, highest) = (*self.bounds.start(), *self.bounds.end());
        if !self.bounds.contains(&self.limit) {
            let to = self.limit.clamp(lowest, highest);
            return Some(self.change(to, Reason::Bounds));
        }
        let proposal = proposal?;
        let to = proposal.limit.clamp(lowest, highest);
        if to == self.limit || (!proposal.at_once && !self.is_due(to)) {
            return None;
        }
        Some(self.change(to, proposal.reason))
    }

    fn is_due(&self, to: usize) -> bool {
        let step = to.abs_diff(self.limit) as f64 / self.limit.max(1) as f64;
        let at_bound = to == *self.bounds.start() || to == *self.bounds.end();
        let Some(last) = &self.last_change else {
            return at_bound || step >= self.hysteresis;
        };
        let goes_on = last.up == (to > self.limit);
        let least = if goes_on {
            self.hysteresis / ON
        } else {
            self.hysteresis
        };
        self.clock.saturating_sub(last.at) >= self.pause && (at_bound || step >= least)
    }

    fn change(&mut self, to: usize, reason: Reason) -> Change {
        let from = std::mem::replace(&mut self.limit, to);
        self.last_change = Some(Last {
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

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("limit", &self.limit)
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

    /// Proposes what it is given.
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

    /// The limits after samples of a second each.
    fn limits(script: &[(usize, bool)], begin: usize) -> Vec<usize> {
        let mut control = Control::new(Script(script.to_vec()), begin).bounds(10..=100);
        let second = Sample {
            elapsed: Duration::from_secs(1),
            ..Sample::default()
        };
        let limit = |_| {
            control.observe(&second);
            control.limit()
        };
        script.iter().map(limit).collect()
    }

    #[test]
    fn a_limit_stays_within_its_bounds() {
        assert_eq!(limits(&[(1000, false)], 50), [100]);
        assert_eq!(limits(&[(0, false)], 50), [10]);
        assert_eq!(limits(&[(0, true)], 50), [10]);
    }

    #[test]
    fn what_is_out_of_bounds_is_brought_back_at_once() {
        assert_eq!(limits(&[(500, false), (500, false)], 500), [100, 100]);
        assert_eq!(limits(&[(1, false)], 1), [10]);
    }

    #[test]
    fn small_changes_wait_until_they_have_grown() {
        assert_eq!(
            limits(&[(52, false), (54, false), (55, false)], 50),
            [50, 50, 55]
        );
        // But the last step to a bound is made.
        assert_eq!(limits(&[(100, false)], 99), [100]);
    }

    #[test]
    fn changes_are_apart() {
        let script = [(60, false), (70, false), (80, false), (90, false)];
        assert_eq!(limits(&script, 50), [60, 60, 80, 80]);
    }

    #[test]
    fn what_cannot_wait_is_done() {
        assert_eq!(
            limits(&[(51, true), (50, true), (51, true)], 50),
            [51, 50, 51]
        );
    }

    #[test]
    fn bounds_that_make_no_sense_are_made_to() {
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
        let control = Control::new(Script(Vec::new()), 5).bounds(7..=3);
        assert_eq!(control.bounds, 7..=7);
        assert_eq!(
            Control::new(Script(Vec::new()), 5).bounds(0..=0).bounds,
            1..=1
        );
    }
}
