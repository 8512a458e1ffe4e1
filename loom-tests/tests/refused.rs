//! I3 where the system refuses threads: no task is left to one that did not start.
#![cfg(anthill_loom)]

use anthill::{BuildError, refuse_thread_starts};
use loom::sync::mpsc::channel;
use loom_tests::{
    beside, check, check_within, expiring, keeping, pool, run_two_at_once, run_two_in_a_row,
};

#[test]
fn no_task_is_left_to_the_first_thread_that_does_not_start() {
    check(|| {
        refuse_thread_starts(0..1);
        run_two_at_once(&pool(2, 2));
    });
}

#[test]
fn without_any_thread_the_submitters_do_the_work() {
    check(|| {
        refuse_thread_starts(0..usize::MAX);
        run_two_at_once(&pool(2, 2));
    });
}

#[test]
fn a_task_left_to_a_thread_that_does_not_start_is_for_the_worker_that_there_is() {
    check(|| {
        // The first thread starts. What comes while it falls asleep may ask for a second.
        refuse_thread_starts(1..usize::MAX);
        run_two_in_a_row(&pool(2, 2));
    });
}

#[test]
fn a_worker_takes_what_was_left_to_a_thread_that_did_not_start() {
    check(|| {
        refuse_thread_starts(1..2);
        let pool = pool(2, 2);
        let (send, submitted) = channel();
        let own = pool.clone();
        // The second start is refused to the worker itself.
        pool.submit(move || {
            own.try_submit(|| ()).unwrap();
            drop(own);
            send.send(()).unwrap();
        })
        .unwrap();
        submitted.recv().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn a_task_left_to_a_thread_that_does_not_start_wakes_the_worker_that_sleeps_again() {
    // It takes three: between begin and end of the start that is refused, a worker ends two tasks and falls asleep.
    check_within(3, || {
        refuse_thread_starts(1..usize::MAX);
        let pool = pool(3, 2);
        let (begin, begun) = channel();
        let (go, wait) = channel();
        let (done, ended) = channel();
        // It starts before the worker does, which makes far fewer schedules.
        beside(&pool, move |pool| {
            go.send(()).unwrap();
            ended.recv().unwrap();
            // Here the worker is about to sleep, and the thread that does not start may still count.
            pool.try_submit(|| ()).unwrap();
        });
        pool.try_submit(move || {
            begin.send(()).unwrap();
            wait.recv().unwrap();
        })
        .unwrap();
        begun.recv().unwrap();
        // The worker is busy, so this one asks for the second thread.
        pool.try_submit(move || done.send(()).unwrap()).unwrap();
        // The last handle to go closes the pool. The worker leaves when all tasks have ended; one that sleeps instead
        // is a deadlock.
    });
}

#[test]
fn a_worker_that_expires_while_the_next_does_not_start_strands_nothing() {
    check(|| {
        refuse_thread_starts(1..2);
        run_two_in_a_row(&expiring(0..=1).capacity(1).build().unwrap());
    });
}

#[test]
fn of_the_threads_that_a_pool_begins_with_each_may_be_refused() {
    for refused in 0..3 {
        check(move || {
            refuse_thread_starts(refused..refused + 1);
            let error = keeping(3..=3).capacity(1).build().unwrap_err();
            // Those that have started leave again, or the execution would not end.
            assert!(matches!(error, BuildError::Thread(_)), "{error}");
        });
    }
}
