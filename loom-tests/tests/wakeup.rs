//! I3: no lost wake-up. A queued task with a live or startable worker gets run; if it were not, the model would end in a
//! deadlock, which loom reports.
#![cfg(anthill_loom)]

use loom::sync::{Arc, Notify};
use loom_tests::{Record, check, check_within, keeping, other, pool};

#[test]
fn a_task_that_comes_while_the_worker_falls_asleep_is_run() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        // The first starts the worker; the second comes while it runs, searches, announces its sleep, or sleeps.
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_worker_there_from_the_beginning_is_woken() {
    check(|| {
        let pool = keeping(1).threads(1..=1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
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
        pool.shutdown().unwrap();
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn a_task_behind_one_that_blocks_is_taken_by_another_worker() {
    check(|| {
        let pool = pool(2, 2);
        let called = Arc::new(Notify::new());
        // Ends only when the second runs as well: whoever takes both must see to it that somebody gets the other.
        let wait = {
            let called = called.clone();
            move || called.wait()
        };
        pool.submit(wait).unwrap();
        pool.submit(move || called.notify()).unwrap();
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_task_from_within_a_worker_that_then_blocks_is_taken_by_another() {
    check(|| {
        let pool = pool(2, 2);
        let called = Arc::new(Notify::new());
        let own = pool.clone();
        pool.submit(move || {
            let caller = called.clone();
            own.try_submit(move || caller.notify()).unwrap();
            drop(own);
            called.wait();
        })
        .unwrap();
        // The last handle that goes closes the pool.
    });
}

#[test]
fn tasks_on_their_way_from_queue_to_queue_are_not_overlooked() {
    check_within(1, || {
        let pool = pool(4, 2);
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let called = Arc::new(Notify::new());
        // Keeps one worker, no searcher any more, until three tasks wait, of which it takes two at once.
        let (begin, wait) = (begun.clone(), go.clone());
        pool.submit(move || {
            begin.notify();
            wait.wait();
        })
        .unwrap();
        begun.wait();
        let wait = called.clone();
        pool.submit(move || wait.wait()).unwrap();
        pool.submit(move || called.notify()).unwrap();
        pool.submit(|| ()).unwrap();
        go.notify();
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_task_left_to_a_searcher_is_not_forgotten() {
    check(|| {
        let pool = pool(2, 1);
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
