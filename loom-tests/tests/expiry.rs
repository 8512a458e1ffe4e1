//! I6: an expiring worker strands no task, and takes no task with it.
//!
//! There is no clock in a model: a worker whose time may be over expires at any moment that it sleeps.
#![cfg(anthill_loom)]

use loom::sync::mpsc::channel;
use loom_tests::{Record, check, check_within, expiring, run_two_at_once, run_two_in_a_row};

#[test]
fn a_task_that_comes_while_the_only_worker_expires_is_run() {
    check(|| run_two_in_a_row(&expiring(0..=1).capacity(2).build().unwrap()));
}

#[test]
fn a_task_that_comes_while_two_workers_expire_is_run() {
    check_within(1, || {
        run_two_in_a_row(&expiring(0..=2).capacity(2).build().unwrap());
    });
}

#[test]
fn two_submitters_find_a_worker_while_one_expires() {
    check(|| {
        run_two_at_once(&expiring(0..=1).capacity(2).build().unwrap());
    });
}

#[test]
fn the_fewest_threads_stay() {
    // Two workers that may both expire make many schedules; one preemption is enough for both to be on their way out.
    check_within(1, || {
        let pool = expiring(1..=2).capacity(2).build().unwrap();
        let (call, wait) = channel();
        // Each needs a worker of its own.
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || call.send(()).unwrap()).unwrap();
        // One of the two may leave, and never both.
        loom::thread::yield_now();
        assert!(pool.stats().threads >= 1, "the last thread left");
        pool.shutdown().wait().unwrap();
        assert!(pool.stats().threads_expired <= 1, "both expired");
    });
}

#[test]
fn a_worker_with_something_to_call_at_its_end_leaves_as_any_other() {
    check_within(1, || {
        let (started, stopped) = (Record::new(), Record::new());
        let (start, stop) = (started.clone(), stopped.clone());
        let builder = expiring(0..=1).capacity(1);
        let builder = builder.on_thread_start(move || start.add());
        let pool = builder.on_thread_stop(move || stop.add()).build().unwrap();
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((started.count(), stopped.count()), (1, 1));
        let stats = pool.stats();
        assert_eq!((stats.threads, stats.idle_threads), (0, 0));
    });
}
