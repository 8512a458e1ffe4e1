//! I3: no lost wake-up. A queued task is run if a worker is alive or can be started; otherwise the model ends in a
//! deadlock, which loom reports.

use loom::sync::mpsc::channel;
use loom_tests::{
    Record, busy, check, check_within, keeping, pool, run_two_at_once, run_two_in_a_row,
};

#[test]
fn task_submitted_while_the_worker_goes_to_sleep_is_run() {
    // The first task starts the worker; the second is submitted while it runs, searches, goes to sleep, or sleeps.
    check(|| run_two_in_a_row(&pool(2, 1)));
}

#[test]
fn initial_worker_is_woken() {
    check(|| {
        let pool = keeping(1..=1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn worker_woken_before_it_sleeps_is_counted_once() {
    check(|| {
        let pool = pool(2, 1);
        pool.submit(|| ()).unwrap();
        pool.submit(|| ()).unwrap();
        // A worker that keeps a notification for its next sleep counts as searching for ever.
        while pool.in_flight() > 0 || pool.stats().idle_threads != 1 {
            loom::thread::yield_now();
        }
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn task_behind_a_blocked_task_runs_on_another_worker() {
    // One preemption does not show a missing fence F2.
    check(|| {
        let pool = pool(2, 2);
        let (send, wait) = channel();
        let (done, has_ended) = channel();
        // Blocks until the second task runs: a worker that takes both must offer the other to another worker.
        pool.submit(move || {
            wait.recv().unwrap();
            done.send(()).unwrap();
        })
        .unwrap();
        pool.submit(move || send.send(()).unwrap()).unwrap();
        has_ended.recv().unwrap();
        loom::stop_exploring();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn task_submitted_by_a_task_that_blocks_runs_elsewhere() {
    check_within(1, || {
        let pool = pool(2, 2);
        let (done, called) = channel();
        let own = pool.clone();
        pool.submit(move || {
            let (send, wait) = channel();
            own.try_submit(move || send.send(()).unwrap()).unwrap();
            wait.recv().unwrap();
            done.send(()).unwrap();
        })
        .unwrap();
        called.recv().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn batch_moved_between_queues_is_offered_to_other_workers() {
    check_within(1, || {
        let pool = pool(4, 2);
        // Occupies one worker until three tasks are queued, of which it then takes two in one batch.
        let (begun, go) = busy(&pool);
        begun.recv().unwrap();
        let (send, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || send.send(()).unwrap()).unwrap();
        pool.submit(|| ()).unwrap();
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 4);
    });
}

#[test]
fn task_left_to_a_searching_worker_is_run() {
    check(|| run_two_at_once(&pool(2, 1)));
}
