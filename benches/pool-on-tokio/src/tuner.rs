//! A tuner that changes nothing, because tokio has no limits to move; and anthill's policies for
//! it.

use std::time::Duration;

pub use policies::tuner::{
    Change, Control, Gradient, HillClimbing, Policy, Probe, Reason, Stepped, Target,
};

use crate::Pool;

/// A tuner that never changes the limit.
pub struct Tuner;

impl Tuner {
    /// Returns a tuner; it ignores its arguments.
    #[must_use]
    pub fn new(_: &Pool, _: Target, _: impl Into<Control>) -> Self {
        Self
    }

    /// Ignored: no policy runs.
    #[must_use]
    pub fn probe(self, _: impl FnMut() -> Probe + Send + 'static) -> Self {
        self
    }

    /// Returns a minute: calls have no effect.
    #[must_use]
    pub fn tick_interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Returns no change.
    pub fn tick(&mut self) -> Option<Change> {
        None
    }
}
