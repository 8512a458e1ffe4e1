//! I6: an expiring worker strands no task, and takes no task with it.
//!
//! There is no clock in a model: a worker whose time may be over expires at any moment that it sleeps.
#![cfg(anthill_loom)]

use loom::sync::{Arc, Notify};
use loom_tests::{Record, check, check_within, expiring, other};

#[test]
fn a_task_that_comes_while_the_only_worker_expires_is_run() {
    check(|| {
        let pool = expiring(1).capacity(2).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_task_that_comes_while_two_workers_expire_is_run() {
    check(|| {
        let pool = expiring(2).capacity(2).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn two_submitters_find_a_worker_while_one_expires() {
    check(|| {
        let pool = expiring(1).capacity(2).build().unwrap();
        let ran = Record::new();
        let submitter = {
            let (pool, task) = (pool.clone(), ran.task());
            other(move || pool.submit(task).unwrap())
        };
        pool.submit(ran.task()).unwrap();
        submitter.join().unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn the_fewest_threads_stay() {
    // Two workers that may both expire make many schedules; one preemption is enough for both to be on their way out.
    check_within(1, || {
        let pool = expiring(2).threads(1..=2).capacity(2).build().unwrap();
        let called = Arc::new(Notify::new());
        let caller = called.clone();
        // Each needs a worker of its own.
        pool.submit(move || called.wait()).unwrap();
        pool.submit(move || caller.notify()).unwrap();
        // One of the two may leave, and never both.
        loom::thread::yield_now();
        assert!(pool.stats().threads >= 1, "the last thread left");
        pool.shutdown().unwrap();
        assert!(pool.stats().threads_expired <= 1, "both expired");
    });
}

#[test]
fn a_worker_with_something_to_call_at_its_end_leaves_as_any_other() {
    check_within(1, || {
        let (started, stopped) = (Record::new(), Record::new());
        let (start, stop) = (started.clone(), stopped.clone());
        let builder = expiring(1).capacity(1);
        let builder = builder.on_thread_start(move || start.add());
        let pool = builder.on_thread_stop(move || stop.add()).build().unwrap();
        pool.submit(|| ()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!((started.count(), stopped.count()), (1, 1));
        let stats = pool.stats();
        assert_eq!((stats.threads, stats.idle_threads), (0, 0));
    });
}
