//! What the models share. They stand in `tests/`, one file a family of promises, and run over the pool's own code.
#![cfg(any(anthill_loom, anthill_shuttle))]

#[cfg(anthill_loom)]
mod every_schedule;
#[cfg(anthill_loom)]
mod scenes;
#[cfg(anthill_loom)]
pub use {
    every_schedule::{check, check_within, other},
    scenes::{beside, busy, held_up, poll_once, run_two_at_once, run_two_in_a_row},
};

#[cfg(anthill_shuttle)]
mod random_schedules;
#[cfg(anthill_shuttle)]
pub use random_schedules::check;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anthill::{Builder, Pool};

/// A pool of `capacity` slots whose threads, up to `threads`, never expire.
///
/// # Panics
///
/// If no pool can have these settings.
#[must_use]
pub fn pool(capacity: usize, threads: usize) -> Pool {
    keeping(0..=threads)
        .capacity(capacity)
        .build()
        .expect("a model's settings are valid")
}

/// A builder for a pool that keeps all its threads once they are started.
pub fn keeping(threads: RangeInclusive<usize>) -> Builder {
    // A model has no clock: threads above the fewest expire whenever they sleep. A duration that the clock cannot add
    // is never over.
    Pool::builder()
        .threads(threads)
        .idle_expiry(std::time::Duration::MAX)
}

/// A builder for a pool whose threads, beyond the fewest, expire at any moment that they sleep.
pub fn expiring(threads: RangeInclusive<usize>) -> Builder {
    Pool::builder()
        .threads(threads)
        .idle_expiry(std::time::Duration::from_secs(1))
}

/// How often something happened. An assertion inside a task would be caught with the task's panic, so tasks only
/// record, and the model asserts. It is not one of loom's atomics, so recording adds no schedules.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<AtomicUsize>);

impl Record {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// It happened once more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// How often it has happened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A closure that records that it ran, and panics.
    pub fn panicking(&self) -> impl FnOnce() + Send + 'static + use<> {
        let record = self.clone();
        move || {
            record.add();
            // As a panic, but silent: it happens once in each of many thousand executions.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    /// A closure that records that it ran.
    pub fn task(&self) -> impl FnOnce() + Send + 'static + use<> {
        let record = self.clone();
        move || record.add()
    }
}
