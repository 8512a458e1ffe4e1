//! I3 where the system refuses threads: no task is left to one that did not start.
#![cfg(anthill_loom)]

use anthill::{BuildError, refuse_thread_starts};
use loom::sync::mpsc::channel;
use loom_tests::{Record, check, check_within, expiring, keeping, other, pool};

/// Two submitters, and a pool of up to two threads of which the first `refused` do not start.
fn two_submitters(refused: usize) {
    check(move || {
        refuse_thread_starts(0..refused);
        let pool = pool(2, 2);
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
fn no_task_is_left_to_the_first_thread_that_does_not_start() {
    two_submitters(1);
}

#[test]
fn without_any_thread_the_submitters_do_the_work() {
    two_submitters(usize::MAX);
}

#[test]
fn a_task_left_to_a_thread_that_does_not_start_is_for_the_worker_that_there_is() {
    check(|| {
        refuse_thread_starts(1..usize::MAX);
        let pool = pool(2, 2);
        let ran = Record::new();
        // The first thread starts. What comes while it falls asleep may ask for a second.
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
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
        pool.shutdown().unwrap();
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
        let own = pool.clone();
        other(move || {
            go.send(()).unwrap();
            ended.recv().unwrap();
            // Here the worker is about to sleep, and the thread that does not start may still count.
            own.try_submit(|| ()).unwrap();
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
        let pool = expiring(1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn of_the_threads_that_a_pool_begins_with_each_may_be_refused() {
    for refused in 0..3 {
        check(move || {
            refuse_thread_starts(refused..refused + 1);
            let error = keeping(3).threads(3..=3).capacity(1).build().unwrap_err();
            // Those that have started leave again, or the execution would not end.
            assert!(matches!(error, BuildError::Thread(_)), "{error}");
        });
    }
}
