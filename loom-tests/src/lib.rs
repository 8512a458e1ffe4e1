//! What the models share. The models are in `tests/`, one file for each family of promises, and run the pool's own code.
#![cfg(any(anthill_loom, anthill_shuttle))]

#[cfg(anthill_loom)]
mod every_schedule;
#[cfg(anthill_loom)]
mod scenes;
#[cfg(anthill_loom)]
mod schedule;
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

/// A pool with `capacity` slots and at most `threads` threads, which never expire.
///
/// # Panics
///
/// If the settings are invalid.
#[must_use]
pub fn pool(capacity: usize, threads: usize) -> Pool {
    keeping(0..=threads)
        .capacity(capacity)
        .build()
        .expect("a model's settings are valid")
}

/// A builder for a pool whose threads never expire.
pub fn keeping(threads: RangeInclusive<usize>) -> Builder {
    // A model has no clock: any finite expiry may pass during a sleep. The longest duration overflows the clock and so
    // never passes.
    Pool::builder()
        .threads(threads)
        .idle_expiry(std::time::Duration::MAX)
}

/// A builder for a pool whose threads above the minimum may expire at any moment of their sleep.
pub fn expiring(threads: RangeInclusive<usize>) -> Builder {
    Pool::builder()
        .threads(threads)
        .idle_expiry(std::time::Duration::from_secs(1))
}

/// Counts events. A failed assertion inside a task is a panic that the pool catches, so tasks record and the model
/// asserts. The counter is not one of loom's atomics, so it adds no schedules.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<AtomicUsize>);

impl Record {
    /// A count of zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one event.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of events.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A closure that records that it ran, and panics.
    pub fn panicking(&self) -> impl FnOnce() + Send + 'static + use<> {
        let record = self.clone();
        move || {
            record.add();
            // Without the message of `panic!`, because it happens in many thousand executions.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    /// A closure that records that it ran.
    pub fn task(&self) -> impl FnOnce() + Send + 'static + use<> {
        let record = self.clone();
        move || record.add()
    }
}
