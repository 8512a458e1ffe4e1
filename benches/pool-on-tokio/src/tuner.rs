//! A tuner that moves nothing, for tokio has no limits that could be moved, and what it is told of.

use std::ops::RangeInclusive;
use std::time::Duration;

pub use policies::tuner::{Change, Gradient, HillClimbing, Policy, Probe, Stepped, Target};

use crate::Pool;

/// Leaves everything as it is.
pub struct Tuner {
    target: Target,
    limit: usize,
}

impl Tuner {
    /// A tuner of that pool.
    #[must_use]
    pub fn new(pool: &Pool, target: Target, _: impl Policy + 'static) -> Self {
        let limit = pool.stats().capacity;
        Self { target, limit }
    }

    /// Within which the limit would be moved.
    #[must_use]
    pub fn bounds(self, _: RangeInclusive<usize>) -> Self {
        self
    }

    /// What a policy would ask.
    #[must_use]
    pub fn probe(self, _: impl FnMut() -> Probe + Send + 'static) -> Self {
        self
    }

    /// Which limit would be moved.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Where the limit stands.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Seldom.
    #[must_use]
    pub fn tick_interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// No change.
    pub fn tick(&mut self) -> Option<Change> {
        None
    }
}
