//! How benches are timed: set up once, then time batches or single steps.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;

/// The most tasks queued at once. Bounds the memory of every bench.
pub(crate) const BATCH: u64 = 4096;

/// Adds a bench. `set_up` runs once, before the first sample, if the filter selects the bench.
/// `time` returns how long the given number of iterations takes.
pub(crate) fn add<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    set_up: impl FnOnce() -> S,
    mut time: impl FnMut(&S, u64) -> Duration,
) {
    let state = LazyCell::new(set_up);
    group.bench_function(name, |b| b.iter_custom(|iters| time(&state, iters)));
}

/// Times `iters` calls of `step` together.
pub(crate) fn steps(iters: u64, mut step: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..iters {
        step();
    }
    start.elapsed()
}

/// Splits `iters` into batches of at most [`BATCH`] and returns the sum of their times.
pub(crate) fn batches(iters: u64, mut batch: impl FnMut(u64) -> Duration) -> Duration {
    let mut left = iters;
    let mut sum = Duration::ZERO;
    while left > 0 {
        let size = left.min(BATCH);
        sum += batch(size);
        left -= size;
    }
    sum
}

/// Returns the sum of `iters` times measured by `sample`.
pub(crate) fn samples(iters: u64, mut sample: impl FnMut() -> Duration) -> Duration {
    (0..iters).map(|_| sample()).sum()
}
