//! I7: a task submitted during a close is run or refused.
//! I8: shutdown returns after every accepted task has ended, panic handlers included.

use anthill::SlotError;
use loom_tests::{Record, beside, check, check_within, expiring, keeping, pool};

#[test]
fn closure_submitted_during_close_is_run_or_refused() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let task = ran.task();
        let submitter = beside(&pool, move |pool| pool.submit(task));
        pool.close();
        let accepted = match submitter.join().unwrap() {
            Ok(()) => 1,
            refused => {
                assert_eq!(refused, Err(SlotError::Closed));
                0
            }
        };
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), accepted);
    });
}

#[test]
fn future_spawned_during_shutdown_is_run_or_refused() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let task = ran.task();
        let submitter = beside(&pool, move |pool| pool.spawn(async move { task() }).is_ok());
        pool.shutdown().wait().unwrap();
        let counted = ran.count();
        let accepted = usize::from(submitter.join().unwrap());
        assert_eq!(
            (counted, ran.count()),
            (accepted, accepted),
            "the future ends before shutdown returns"
        );
    });
}

#[test]
fn waiting_submit_during_shutdown_is_run_or_refused() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        let task = ran.task();
        let submitter = beside(&pool, move |pool| pool.submit(task).is_ok());
        pool.shutdown().wait().unwrap();
        let accepted = usize::from(submitter.join().unwrap());
        assert_eq!(ran.count(), 1 + accepted);
    });
}

#[test]
fn shutdown_waits_for_the_panic_handler() {
    check(|| {
        let (panicking, handled) = (Record::new(), Record::new());
        let handler = {
            let handled = handled.clone();
            move |_| {
                loom::thread::yield_now();
                handled.add();
            }
        };
        let pool = keeping(0..=1)
            .capacity(1)
            .panic_handler(handler)
            .build()
            .unwrap();
        // The shutdown of a subpool waits for its tasks only. That of the pool also waits for the threads, and
        // would hide a handler that runs too late.
        let subpool = pool.subpool().capacity(1).build().unwrap();
        subpool.submit(panicking.panicking()).unwrap();
        subpool.shutdown().wait().unwrap();
        assert_eq!((panicking.count(), handled.count()), (1, 1));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn two_threads_shut_down_at_once() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        let rival = beside(&pool, |pool| pool.shutdown().wait().is_ok());
        pool.shutdown().wait().unwrap();
        assert!(rival.join().unwrap());
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn awaited_shutdown_returns_after_the_last_task() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.submit(ran.panicking()).unwrap();
        loom::future::block_on(pool.shutdown()).unwrap();
        assert_eq!((ran.count(), pool.stats().threads), (2, 0));
    });
}

#[test]
fn shutdown_returns_while_the_last_worker_expires() {
    check(|| {
        let pool = expiring(0..=1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().threads), (1, 0));
    });
}

#[test]
fn dropping_the_last_handle_runs_accepted_tasks() {
    let (executions, ran) = (Record::new(), Record::new());
    let (execution, task) = (executions.clone(), ran.clone());
    check(move || {
        execution.add();
        let pool = pool(1, 1);
        pool.submit(task.task()).unwrap();
        drop(pool);
        // The execution ends when every thread has ended, so a worker that stays is a deadlock.
    });
    assert_eq!(ran.count(), executions.count());
}

#[test]
fn subpool_ends_before_its_pool() {
    check(|| {
        let pool = pool(1, 1);
        let subpool = pool.subpool().capacity(1).build().unwrap();
        let ran = Record::new();
        subpool.submit(ran.task()).unwrap();
        let closer = beside(&pool, |pool| pool.shutdown().wait().unwrap());
        subpool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
        closer.join().unwrap();
    });
}

#[test]
fn pool_that_has_ended_starts_no_thread() {
    // With two preemptions, no thread starts between the end and the count.
    check_within(3, || {
        let pool = keeping(1..=1).capacity(1).build().unwrap();
        let other = beside(&pool, |pool| {
            pool.shutdown().wait().unwrap();
            assert_eq!(pool.stats().threads, 0);
        });
        // The submit may ask for a thread after the worker has run the task and left.
        let _or_closed = pool.try_submit(|| ());
        other.join().unwrap();
    });
}
