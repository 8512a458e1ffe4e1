//! What the models share. They stand in `tests/`, one file a family of invariants, and run over the pool's own code.
#![cfg(anthill_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anthill::{Builder, Pool};

/// Explores every schedule of `model` with at most as many preemptions as `LOOM_MAX_PREEMPTIONS` says, 2 by default.
pub fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(2, model);
}

/// As [`check`], with another bound by default.
pub fn check_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    let explored = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&explored);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} executions explored", explored.load(Ordering::Relaxed));
}

/// A pool of `capacity` slots whose threads, up to `threads`, never expire.
///
/// # Panics
///
/// If no pool can have these settings.
#[must_use]
pub fn pool(capacity: usize, threads: usize) -> Pool {
    keeping(threads)
        .capacity(capacity)
        .build()
        .expect("a model's settings are valid")
}

/// A builder for a pool that keeps all its threads, up to `threads`, and starts them when they are needed.
pub fn keeping(threads: usize) -> Builder {
    // A model has no clock: threads above the fewest expire whenever they sleep. A duration that the clock cannot add
    // is never over.
    Pool::builder()
        .threads(0..=threads)
        .idle_expiry(std::time::Duration::MAX)
}

/// A builder for a pool whose threads, up to `threads`, expire at any moment that they sleep.
pub fn expiring(threads: usize) -> Builder {
    Pool::builder()
        .threads(0..=threads)
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

/// Runs `f` on another thread of the model.
pub fn other<T: 'static>(f: impl FnOnce() -> T + 'static) -> loom::thread::JoinHandle<T> {
    loom::thread::spawn(f)
}
