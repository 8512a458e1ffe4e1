//! What a policy is, and the constant one.

use std::ops::RangeInclusive;

use super::reason::Reason;
use super::sample::Sample;

/// Decides what a limit should be.
///
/// ```
/// use std::ops::RangeInclusive;
///
/// use anthill::tuner::{Policy, Proposal, Reason, Sample};
///
/// /// Proposes a fifth more than the demand.
/// struct Headroom;
///
/// impl Policy for Headroom {
///     fn propose(&mut self, sample: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
///         let limit = sample.demand() * 1.2;
///         Some(Proposal::new(limit, Reason::Other("a fifth of headroom".into())))
///     }
/// }
/// ```
pub trait Policy: Send {
    /// Returns the limit that fits the sample, or `None` to keep the present limit.
    ///
    /// The control calls it once for each sample, in order. It clamps the returned limit to
    /// `bounds`.
    fn propose(&mut self, sample: &Sample, bounds: &RangeInclusive<usize>) -> Option<Proposal>;
}

/// A limit and the reason for it.
///
/// ```
/// use anthill::tuner::{Proposal, Reason};
///
/// let proposal = Proposal::new(7.6, Reason::Other("a guess".into()));
/// assert_eq!(proposal.limit, 8);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The proposed limit.
    pub limit: usize,
    /// Why it is proposed.
    pub reason: Reason,
    /// Whether to apply the proposal at once, however small it is. For policies that measure the
    /// effect of a change and keep their own time.
    pub at_once: bool,
}

impl Proposal {
    /// Proposes the nearest whole number, which may wait for
    /// [`Control::pause`](super::Control::pause) and
    /// [`Control::hysteresis`](super::Control::hysteresis).
    ///
    /// ```
    /// use anthill::tuner::{Proposal, Reason};
    ///
    /// let reason = Reason::Other("a task for each of 12 files".into());
    /// assert!(!Proposal::new(12.0, reason).at_once);
    /// ```
    #[must_use]
    pub fn new(limit: f64, reason: Reason) -> Self {
        Self {
            limit: whole(limit),
            reason,
            at_once: false,
        }
    }
}

/// Rounds to the nearest whole number; NaN gives 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and turns NaN into 0"
)]
pub(super) fn whole(limit: f64) -> usize {
    limit.round() as usize
}

/// Clamps the limit to the bounds. Unlike `clamp` it does not panic if the bounds are empty.
pub(super) fn bounded(limit: f64, bounds: &RangeInclusive<usize>) -> f64 {
    limit.min(*bounds.end() as f64).max(*bounds.start() as f64)
}

/// Always proposes the same limit.
///
/// ```
/// use anthill::tuner::{Control, Fixed, Sample};
///
/// let change = Control::new(Fixed(8)).observe(4, &Sample::default());
/// assert_eq!(change.unwrap().to, 8);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub usize);

impl Policy for Fixed {
    fn propose(&mut self, _: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        let reason = Reason::Other("it is fixed".into());
        (self.0 > 0).then(|| Proposal::new(self.0 as f64, reason))
    }
}
