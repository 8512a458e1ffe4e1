//! A tuner that changes nothing, because tokio has no limits to move; and anthill's policies for
//! it.

use std::ops::RangeInclusive;
use std::time::Duration;

pub use policies::tuner::{Change, Gradient, HillClimbing, Policy, Probe, Stepped, Target};

use crate::Pool;

/// A tuner that never changes the limit.
pub struct Tuner {
    target: Target,
    limit: usize,
}

impl Tuner {
    /// Returns a tuner for the pool.
    #[must_use]
    pub fn new(pool: &Pool, target: Target, _: impl Policy + 'static) -> Self {
        let limit = pool.stats().capacity;
        Self { target, limit }
    }

    /// Ignored: the limit does not move.
    #[must_use]
    pub fn bounds(self, _: RangeInclusive<usize>) -> Self {
        self
    }

    /// Ignored: no policy runs.
    #[must_use]
    pub fn probe(self, _: impl FnMut() -> Probe + Send + 'static) -> Self {
        self
    }

    /// Returns which limit would be moved.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Returns the capacity at the time of `new`.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
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
