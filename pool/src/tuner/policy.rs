//! What decides.

use std::ops::RangeInclusive;

use super::reason::Reason;
use super::sample::Sample;

/// Says what a limit should be.
///
/// ```
/// use std::ops::RangeInclusive;
///
/// use anthill::tuner::{Policy, Proposal, Reason, Sample};
///
/// /// A fifth more than there is to do.
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
    /// The limit that this sample speaks for; nothing if it says nothing. Called once for each sample, in their order. What
    /// is outside of the bounds is brought to them afterwards.
    fn propose(&mut self, sample: &Sample, bounds: &RangeInclusive<usize>) -> Option<Proposal>;
}

/// A limit, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The limit, whole.
    pub limit: usize,
    /// Why it should be that.
    pub reason: Reason,
    /// It cannot wait, and is done however small it is: a policy that tries what a change does keeps its own time.
    pub at_once: bool,
}

impl Proposal {
    /// Proposes the next whole number.
    #[must_use]
    pub fn new(limit: f64, reason: Reason) -> Self {
        Self {
            limit: whole(limit),
            reason,
            at_once: false,
        }
    }
}

/// The nearest whole number; what is none is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stops at the bounds of the integer, and makes 0 of what is no number"
)]
pub(super) fn whole(limit: f64) -> usize {
    limit.round() as usize
}

/// The limit, brought to the bounds. Unlike `clamp` it does not panic on bounds that are empty.
pub(super) fn bounded(limit: f64, bounds: &RangeInclusive<usize>) -> f64 {
    limit.min(*bounds.end() as f64).max(*bounds.start() as f64)
}

/// Always the same limit.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub usize);

impl Policy for Fixed {
    fn propose(&mut self, _: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        let reason = Reason::Other("it is fixed".into());
        (self.0 > 0).then(|| Proposal::new(self.0 as f64, reason))
    }
}
