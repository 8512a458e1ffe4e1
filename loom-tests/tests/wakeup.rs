//! I3: no lost wake-up. A queued task with a live or startable worker gets run; if it were not, the model would end in a
//! deadlock, which loom reports.
#![cfg(anthill_loom)]

use loom::sync::mpsc::channel;
use loom_tests::{
    Record, busy, check, check_within, keeping, pool, run_two_at_once, run_two_in_a_row,
};

#[test]
fn a_task_that_comes_while_the_worker_falls_asleep_is_run() {
    // The first starts the worker; the second comes while it runs, searches, announces its sleep, or sleeps.
    check(|| run_two_in_a_row(&pool(2, 1)));
}

#[test]
fn a_worker_there_from_the_beginning_is_woken() {
    check(|| {
        let pool = keeping(1..=1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn a_worker_that_is_woken_on_its_way_to_sleep_is_counted_once() {
    check(|| {
        let pool = pool(2, 1);
        pool.submit(|| ()).unwrap();
        pool.submit(|| ()).unwrap();
        // One that took a wake-up along into its next sleep would be counted among the searching ones for ever.
        while pool.in_flight() > 0 || pool.stats().idle_threads != 1 {
            loom::thread::yield_now();
        }
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn a_task_behind_one_that_blocks_is_taken_by_another_worker() {
    check(|| {
        let pool = pool(2, 2);
        let (call, wait) = channel();
        // Ends only when the second runs as well: whoever takes both must see to it that somebody gets the other.
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || call.send(()).unwrap()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn a_task_from_within_a_worker_that_then_blocks_is_taken_by_another() {
    check(|| {
        let pool = pool(2, 2);
        let (done, called) = channel();
        let own = pool.clone();
        pool.submit(move || {
            let (call, wait) = channel();
            own.try_submit(move || call.send(()).unwrap()).unwrap();
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
fn tasks_on_their_way_from_queue_to_queue_are_not_overlooked() {
    check_within(1, || {
        let pool = pool(4, 2);
        // Keeps one worker, no searcher any more, until three tasks wait, of which it takes two at once.
        let (begun, go) = busy(&pool);
        begun.recv().unwrap();
        let (call, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || call.send(()).unwrap()).unwrap();
        pool.submit(|| ()).unwrap();
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 4);
    });
}

#[test]
fn a_task_left_to_a_searcher_is_not_forgotten() {
    check(|| run_two_at_once(&pool(2, 1)));
}
