//! I6 for workers that are too many: one that leaves strands no task, and takes none with it.
#![cfg(anthill_loom)]

use loom::sync::mpsc::channel;
use loom_tests::{Record, busy, check_within, keeping, pool};

#[test]
fn a_worker_that_is_too_many_leaves_its_tasks_to_the_others() {
    check_within(1, || {
        let pool = pool(3, 2);
        let ran = Record::new();
        let (begun, go) = busy(&pool);
        // Of three the worker takes two at once.
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        begun.recv().unwrap();
        pool.set_threads(0..=1).unwrap();
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn of_two_workers_only_as_many_leave_as_are_too_many() {
    check_within(1, || {
        let pool = keeping(2..=2).capacity(1).build().unwrap();
        pool.set_threads(1..=1).unwrap();
        // Lets the workers leave. A pool that loses both starts a third, because one is the fewest.
        loom::thread::yield_now();
        assert_eq!(pool.stats().threads_started, 2);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn one_that_sleeps_and_is_too_many_leaves() {
    check_within(1, || {
        let pool = keeping(2..=2).capacity(1).build().unwrap();
        // They are asleep by now, unless they are interrupted.
        loom::thread::yield_now();
        pool.set_threads(1..=1).unwrap();
        // Whether it slept already or was about to.
        while pool.stats().threads > 1 {
            loom::thread::yield_now();
        }
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn with_more_threads_a_task_behind_one_that_waits_is_run() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (send, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.submit(move || send.send(()).unwrap()).unwrap();
        pool.set_threads(0..=2).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn a_task_that_comes_while_a_thread_starts_is_run() {
    check_within(1, || {
        let (call, wait) = channel();
        let wait = std::sync::Mutex::new(Some(wait));
        // The first thread starts for as long as the task takes to be run by a second.
        let builder = keeping(0..=2).capacity(1).on_thread_start(move || {
            let first = wait.lock().unwrap().take();
            if let Some(wait) = first {
                wait.recv().unwrap();
            }
        });
        let pool = builder.build().unwrap();
        pool.submit(move || call.send(()).unwrap()).unwrap();
        pool.shutdown().wait().unwrap();
    });
}
