//! Tasks queued behind a task that blocks run on other workers, however busy these are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anthill::Pool;

use crate::support::{Gate, pool, yield_now};

#[test]
fn tasks_behind_a_blocked_task_run_on_a_busy_worker() {
    let (pool, gate) = (pool(1_000, 2), Gate::new());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    // One worker always has a future to poll.
    pool.spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            yield_now().await;
        }
    })
    .unwrap();
    // The other worker takes these together, and blocks in the first of them.
    pool.submit(gate.waiter()).unwrap();
    let (done, end) = mpsc::channel();
    for _ in 0..100 {
        let done = done.clone();
        pool.submit(move || done.send(()).unwrap()).unwrap();
    }
    for _ in 0..100 {
        end.recv().unwrap();
    }
    gate.open();
    stop.store(true, Ordering::Relaxed);
    pool.shutdown().wait().unwrap();
}

#[test]
fn tasks_behind_a_blocked_task_are_not_starved() {
    let (pool, gate) = (pool(1_000, 2), Gate::new());
    let go = Gate::new();
    // Both workers wait while the queue fills.
    for _ in 0..2 {
        pool.submit(go.waiter()).unwrap();
    }
    pool.submit(gate.waiter()).unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let ran = ran.clone();
        pool.submit(move || _ = ran.fetch_add(1, Ordering::SeqCst))
            .unwrap();
    }
    go.open();
    // Others keep coming meanwhile.
    while ran.load(Ordering::SeqCst) < 100 {
        pool.submit(|| ()).unwrap();
    }
    gate.open();
    pool.shutdown().wait().unwrap();
}

/// Submits itself again until it is stopped.
fn resubmit(pool: &Pool, stop: Arc<AtomicBool>) {
    if !stop.load(Ordering::Relaxed) {
        let next = pool.clone();
        _ = pool.try_submit(move || resubmit(&next, stop));
    }
}

/// Blocks closures, one after another, until the task that each submits has run. Other workers
/// have futures or closures to run all the time.
fn block_workers(
    threads: usize,
    (closures, futures): (usize, usize),
    submit: fn(&Pool, mpsc::Sender<()>),
) {
    let (pool, stop) = (pool(1_000, threads), Arc::new(AtomicBool::new(false)));
    for _ in 0..closures {
        resubmit(&pool, stop.clone());
    }
    for _ in 0..futures {
        let stop = stop.clone();
        let future = async move {
            while !stop.load(Ordering::Relaxed) {
                yield_now().await;
            }
        };
        pool.spawn(future).unwrap();
    }
    // Enough that each worker blocks at some time.
    for _ in 0..200 {
        let own = pool.clone();
        let closure = move || {
            let (done, end) = mpsc::channel();
            submit(&own, done);
            end.recv().unwrap();
        };
        pool.submit_with_handle(closure).unwrap().wait().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    pool.shutdown().wait().unwrap();
}

#[test]
fn closure_behind_a_blocked_task_runs_beside_closures() {
    block_workers(3, (24, 0), |pool, done| {
        pool.submit(move || done.send(()).unwrap()).unwrap();
    });
}

#[test]
fn closure_behind_a_blocked_task_runs_beside_futures() {
    block_workers(3, (0, 24), |pool, done| {
        pool.submit(move || done.send(()).unwrap()).unwrap();
    });
}

#[test]
fn future_behind_a_blocked_task_runs_beside_closures() {
    block_workers(3, (24, 0), |pool, done| {
        pool.spawn(async move { done.send(()).unwrap() }).unwrap();
    });
}

#[test]
fn future_behind_a_blocked_task_runs_beside_futures() {
    for threads in [1, 3] {
        block_workers(threads, (0, 24), |pool, done| {
            pool.spawn(async move { done.send(()).unwrap() }).unwrap();
        });
    }
}
