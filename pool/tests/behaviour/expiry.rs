//! Threads start when there is work and expire when they are idle.

use std::sync::mpsc;
use std::time::Duration;

use anthill::Pool;

use crate::support::{Gate, eventually};

fn expiring(min: usize, max: usize) -> Pool {
    let builder = Pool::builder().capacity(64).threads(min..=max);
    builder
        .idle_expiry(Duration::from_millis(20))
        .build()
        .unwrap()
}

#[test]
fn no_thread_is_started_before_there_is_work() {
    let pool = expiring(0, 4);
    assert_eq!((pool.stats().threads, pool.stats().threads_started), (0, 0));
}

#[test]
fn idle_threads_expire_down_to_the_minimum() {
    let pool = expiring(1, 4);
    assert_eq!(pool.stats().threads, 1);
    let gate = Gate::new();
    for _ in 0..4 {
        pool.submit(gate.waiter()).unwrap();
    }
    eventually(|| pool.stats().running == 4);
    gate.open();
    eventually(|| pool.stats().threads == 1);
    let stats = pool.stats();
    // A thread may expire before the last task comes, and is then started once more.
    assert!(stats.threads_started >= 4);
    assert_eq!(stats.threads_started - stats.threads_expired, 1);
}

#[test]
fn task_after_an_expiry_starts_a_thread() {
    let pool = expiring(0, 1);
    for round in 1..=3 {
        let (ran, seen) = mpsc::channel();
        pool.submit(move || ran.send(()).unwrap()).unwrap();
        seen.recv().unwrap();
        eventually(|| pool.stats().threads == 0);
        assert_eq!(pool.stats().threads_expired, round);
    }
}

#[test]
fn threads_grow_with_blocked_tasks_up_to_the_maximum() {
    let pool = expiring(0, 3);
    let gate = Gate::new();
    for _ in 0..6 {
        pool.submit(gate.waiter()).unwrap();
    }
    eventually(|| pool.stats().running == 3);
    let stats = pool.stats();
    assert_eq!((stats.threads, stats.queued, stats.in_flight), (3, 3, 6));
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn expiring_threads_strand_no_task() {
    let builder = Pool::builder()
        .capacity(8)
        .threads(0..=3)
        .idle_expiry(Duration::ZERO);
    let pool = builder.build().unwrap();
    for n in 0..20_000 {
        let (ran, seen) = mpsc::channel();
        // Every third task is waited for.
        pool.submit(move || _ = ran.send(n)).unwrap();
        if n % 3 == 0 {
            assert_eq!(seen.recv().unwrap(), n);
        }
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 20_000);
}

#[test]
fn more_threads_than_local_queues_run_blocking_tasks() {
    let pool = Pool::builder()
        .capacity(200)
        .threads(0..=100)
        .build()
        .unwrap();
    let gate = Gate::new();
    for _ in 0..200 {
        pool.submit(gate.waiter()).unwrap();
    }
    eventually(|| pool.stats().running == 100);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 200);
}
