//! A full pool: how a freed slot reaches the waiting submitter.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::Pool;
use criterion::{Criterion, SamplingMode};
use futures_lite::future;

use crate::idle::PAUSE;
use crate::timing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handoff");
    // One submitter without a pause: each submit beyond the capacity waits for an earlier task.
    for capacity in [1, 2] {
        let name = format!("submit_at_capacity_{capacity}");
        timing::add(
            &mut group,
            &name,
            || full_at(capacity),
            |pool, iters| timing::steps(iters, || pool.submit(|| ()).expect("the pool is open")),
        );
    }
    group.sampling_mode(SamplingMode::Flat);
    timing::add(
        &mut group,
        "parked_thread",
        || full_at(1),
        |pool, iters| {
            timing::samples(iters, || {
                time_entry(pool, || pool.submit(|| ()).expect("the pool is open"))
            })
        },
    );
    timing::add(
        &mut group,
        "suspended_future",
        || full_at(1),
        |pool, iters| {
            timing::samples(iters, || {
                time_entry(pool, || {
                    let slot = future::block_on(pool.slot());
                    slot.expect("the pool is open").submit(|| ());
                })
            })
        },
    );
    group.finish();
}

/// A pool with this many slots and threads.
fn full_at(capacity: usize) -> Pool {
    let builder = Pool::builder()
        .capacity(capacity)
        .threads(capacity..=capacity);
    builder.build().expect("valid settings")
}

/// Returns the time from the end of the pool's only task until `enter` returns. `enter` waits for
/// the task's slot.
fn time_entry(pool: &Pool, enter: impl FnOnce()) -> Duration {
    let (ends, ended) = mpsc::channel();
    let watched = pool.clone();
    let task = move || {
        while watched.stats().waiting == 0 {
            thread::yield_now();
        }
        // The submitter is registered. It spins for a while before it parks.
        thread::sleep(PAUSE);
        _ = ends.send(Instant::now());
    };
    pool.submit(task).expect("the pool is open");
    enter();
    let entered = Instant::now();
    entered - ended.recv().expect("the task ends")
}
