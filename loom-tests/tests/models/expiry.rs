//! I6: a worker that expires strands no task.
//!
//! A model has no clock: a worker that may expire does so at any moment of its sleep.

use loom_tests::{Record, check, check_within, expiring, run_two_at_once, run_two_in_a_row};

#[test]
fn task_submitted_while_the_only_worker_expires_is_run() {
    check(|| run_two_in_a_row(&expiring(0..=1).capacity(2).build().unwrap()));
}

#[test]
fn task_submitted_while_two_workers_expire_is_run() {
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
fn minimum_threads_never_expire() {
    // One preemption is enough for both workers to be leaving at once.
    check_within(1, || {
        let pool = expiring(2..=2).capacity(1).build().unwrap();
        pool.set_threads(1..=2).unwrap();
        // One of the two may leave, but not both.
        loom::thread::yield_now();
        assert!(pool.stats().threads >= 1, "the last thread left");
        pool.shutdown().wait().unwrap();
        assert!(pool.stats().threads_expired <= 1, "both expired");
    });
}

#[test]
fn stop_hook_runs_once_for_each_expired_worker() {
    check_within(1, || {
        let (started, stopped) = (Record::new(), Record::new());
        let (start, stop) = (started.clone(), stopped.clone());
        let builder = expiring(0..=1).capacity(1);
        let builder = builder.on_thread_start(move |_| start.add());
        let pool = builder.on_thread_stop(move |_| stop.add()).build().unwrap();
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((started.count(), stopped.count()), (1, 1));
        let stats = pool.stats();
        assert_eq!((stats.threads, stats.idle_threads), (0, 0));
    });
}
