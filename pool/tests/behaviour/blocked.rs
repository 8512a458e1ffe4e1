//! Tasks queued behind a task that blocks run on other workers, however busy these are.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anthill::{Pool, worker_index};

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

/// On each worker in turn, blocks a closure until the task that it submits has run. Other workers
/// have futures or closures to run all the time.
fn block_each_worker(closures: usize, futures: usize, submit: fn(&Pool, mpsc::Sender<()>)) {
    const THREADS: usize = 3;
    let (pool, stop) = (pool(1_000, THREADS), Arc::new(AtomicBool::new(false)));
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
    let mut blocked = BTreeSet::new();
    for _ in 0..1_000 {
        let own = pool.clone();
        let closure = move || {
            let (done, end) = mpsc::channel();
            submit(&own, done);
            end.recv().unwrap();
            worker_index().unwrap()
        };
        blocked.insert(pool.submit_with_handle(closure).unwrap().wait().unwrap());
        if blocked.len() == THREADS {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    pool.shutdown().wait().unwrap();
    assert!(blocked.len() > 1, "always the same worker blocked");
}

#[test]
fn closure_behind_a_blocked_task_runs_beside_closures() {
    block_each_worker(24, 0, |pool, done| {
        pool.submit(move || done.send(()).unwrap()).unwrap();
    });
}

#[test]
fn closure_behind_a_blocked_task_runs_beside_futures() {
    block_each_worker(0, 24, |pool, done| {
        pool.submit(move || done.send(()).unwrap()).unwrap();
    });
}

#[test]
fn future_behind_a_blocked_task_runs_beside_closures() {
    block_each_worker(24, 0, |pool, done| {
        pool.spawn(async move { done.send(()).unwrap() }).unwrap();
    });
}

#[test]
fn future_behind_a_blocked_task_runs_beside_futures() {
    block_each_worker(0, 24, |pool, done| {
        pool.spawn(async move { done.send(()).unwrap() }).unwrap();
    });
}
