//! I3 if the system refuses threads: no task is left to a thread that did not start.

use anthill::{BuildError, refuse_thread_starts};
use loom::sync::mpsc::channel;
use loom_tests::{
    beside, check, check_within, expiring, keeping, pool, run_two_at_once, run_two_in_a_row,
};

#[test]
fn refused_first_thread_strands_no_task() {
    check_within(1, || {
        refuse_thread_starts(0..1);
        run_two_at_once(&pool(2, 2));
    });
}

#[test]
fn submitters_run_the_tasks_if_no_thread_starts() {
    check(|| {
        refuse_thread_starts(0..usize::MAX);
        run_two_at_once(&pool(2, 2));
    });
}

#[test]
fn refused_second_thread_leaves_its_task_to_the_first() {
    check(|| {
        // The first thread starts. A task submitted while it goes to sleep may need a second thread.
        refuse_thread_starts(1..usize::MAX);
        run_two_in_a_row(&pool(2, 2));
    });
}

#[test]
fn worker_whose_start_is_refused_runs_the_task() {
    check(|| {
        refuse_thread_starts(1..2);
        let pool = pool(2, 2);
        let (send, submitted) = channel();
        let own = pool.clone();
        // The worker itself finds the second start refused.
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
fn refused_thread_start_wakes_the_sleeping_worker() {
    // The fault takes three preemptions: during the refused start, the worker ends two tasks and goes to sleep.
    check_within(3, || {
        refuse_thread_starts(1..usize::MAX);
        let pool = pool(3, 2);
        let (begin, begun) = channel();
        let (go, wait) = channel();
        let (done, ended) = channel();
        // Starting this thread before the worker gives far fewer schedules.
        beside(&pool, move |pool| {
            go.send(()).unwrap();
            ended.recv().unwrap();
            // The worker is going to sleep, and the refused thread may still be counted.
            pool.try_submit(|| ()).unwrap();
        });
        pool.try_submit(move || {
            begin.send(()).unwrap();
            wait.recv().unwrap();
        })
        .unwrap();
        begun.recv().unwrap();
        // The worker is busy, so this submit tries to start a second thread.
        pool.try_submit(move || done.send(()).unwrap()).unwrap();
        // Dropping the last handle closes the pool. The worker leaves after the last task; if it sleeps instead, the
        // model ends in a deadlock.
    });
}

#[test]
fn refused_start_after_the_last_task_ends_the_shutdown() {
    check(|| {
        // The first worker may run both tasks and leave while the second submit starts a thread,
        // which counts as live, so the shutdown waits for it.
        refuse_thread_starts(1..usize::MAX);
        let pool = pool(2, 2);
        let other = beside(&pool, |pool| pool.shutdown().wait().unwrap());
        let _or_closed = (pool.try_submit(|| ()), pool.try_submit(|| ()));
        other.join().unwrap();
        assert_eq!(pool.stats().threads, 0);
    });
}

#[test]
fn refused_successor_of_an_expired_worker_strands_no_task() {
    check(|| {
        refuse_thread_starts(1..2);
        run_two_in_a_row(&expiring(0..=1).capacity(1).build().unwrap());
    });
}

#[test]
fn each_initial_thread_may_be_refused() {
    for refused in 0..3 {
        check_within(1, move || {
            refuse_thread_starts(refused..refused + 1);
            let error = keeping(3..=3).capacity(1).build().unwrap_err();
            // The started threads leave again, otherwise the execution does not end.
            assert!(matches!(error, BuildError::Thread(_)), "{error}");
        });
    }
}
