//! An idle pool: how long a parked worker takes to start a task.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Builder, Pool};
use criterion::{Criterion, SamplingMode};

use crate::futures::suspend;
use crate::timing;

/// Long enough for a thread to stop spinning and park.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn bench(criterion: &mut Criterion) {
    bench_pool(criterion, "idle", Pool::builder);
    bench_pool(criterion, "idle_in_tokio", || Pool::builder().tokio());
}

fn bench_pool(criterion: &mut Criterion, name: &str, builder: fn() -> Builder) {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    let set_up = || {
        let builder = builder().threads(1..=1);
        builder.build().expect("valid settings")
    };
    timing::add(&mut group, "submit_to_start", set_up, |pool, iters| {
        timing::samples(iters, || time_start(pool))
    });
    timing::add(&mut group, "wake_to_poll", set_up, |pool, iters| {
        timing::samples(iters, || time_poll(pool))
    });
    group.finish();
}

/// Returns the time from the submit of a closure to its start.
fn time_start(pool: &Pool) -> Duration {
    let (starts, started) = mpsc::channel();
    thread::sleep(PAUSE);
    let submitted = Instant::now();
    let task = move || _ = starts.send(Instant::now());
    pool.submit(task).expect("the pool is open");
    started.recv().expect("the task runs") - submitted
}

/// Returns the time from the wake of a suspended future to its poll.
fn time_poll(pool: &Pool) -> Duration {
    let (suspends, suspended) = mpsc::channel();
    let (polls, polled) = mpsc::channel();
    let task = async move {
        suspend(move |waker| _ = suspends.send(waker)).await;
        _ = polls.send(Instant::now());
    };
    pool.spawn(task).expect("the pool is open");
    let waker = suspended.recv().expect("the future is polled");
    thread::sleep(PAUSE);
    let woken = Instant::now();
    waker.wake();
    polled.recv().expect("the future is woken") - woken
}
