//! I13: a reopened pool loses no task to workers that are still leaving.
//! I2 for discarded tasks: each ends once, run or discarded.

use std::sync::{Arc, Mutex};

use anthill::{JoinError, ReopenError, ShutdownError};
use loom_tests::{Record, beside, busy, check, check_within, keeping, pool};

#[test]
fn task_after_reopen_is_run_while_old_workers_leave() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.close();
        // The worker may be starting, running the task, leaving, or gone.
        pool.reopen().unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn reopen_during_shutdown_ends_the_wait() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        let waits = beside(&pool, |pool| pool.shutdown().wait());
        pool.reopen().unwrap();
        // If the shutdown comes after the reopen, it waits for this close.
        pool.close();
        let ended = waits.join().unwrap();
        assert!(matches!(ended, Ok(()) | Err(ShutdownError::Reopened)));
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().threads), (1, 0));
    });
}

#[test]
fn shutdown_returns_reopened_if_tasks_remain() {
    check(|| {
        let pool = pool(1, 1);
        let held = pool.try_slot().unwrap();
        let waits = beside(&pool, |pool| pool.shutdown().wait());
        while !pool.is_closed() {
            loom::thread::yield_now();
        }
        pool.reopen().unwrap();
        assert_eq!(waits.join().unwrap(), Err(ShutdownError::Reopened));
        drop(held);
    });
}

#[test]
fn reopened_pool_has_its_minimum_threads() {
    check(|| {
        let pool = keeping(1..=1).capacity(1).build().unwrap();
        pool.close();
        pool.reopen().unwrap();
        // A worker that is leaving starts its successor if the reopen still counted it.
        while pool.stats().threads_started < 2 && pool.stats().idle_threads == 0 {
            loom::thread::yield_now();
        }
        pool.shutdown().wait().unwrap();
        // A worker whose start was under way when the pool ended leaves at once.
        while pool.stats().threads > 0 {
            loom::thread::yield_now();
        }
    });
}

#[test]
fn reopened_subpool_closes_with_its_pool() {
    check(|| {
        let pool = pool(1, 1);
        let side = pool.subpool().capacity(1).build().unwrap();
        let ran = Record::new();
        side.submit(ran.task()).unwrap();
        side.close();
        side.reopen().unwrap();
        // The first task may still be ending, as the last task before the reopen.
        side.submit(ran.task()).unwrap();
        pool.close();
        assert!(side.is_closed());
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn discarded_task_is_run_or_cancelled() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let task = pool.submit_with_handle(ran.task()).unwrap();
        pool.discard();
        let discarded = match task.wait() {
            Ok(()) => 0,
            Err(JoinError::Cancelled) => 1,
            Err(error) => panic!("{error}"),
        };
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!(ran.count(), 1 - discarded);
        assert_eq!(
            (stats.discarded, stats.completed),
            (discarded as u64, 1 - discarded as u64)
        );
    });
}

#[test]
fn task_queued_behind_a_busy_worker_is_discarded() {
    check(|| {
        let pool = pool(2, 1);
        let (begun, go) = busy(&pool);
        begun.recv().unwrap();
        let behind = pool.submit_with_handle(|| ()).unwrap();
        pool.discard();
        // The discard takes effect while the worker is busy.
        assert!(matches!(behind.wait(), Err(JoinError::Cancelled)));
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().discarded, 1);
    });
}

#[test]
fn task_after_a_discard_is_run() {
    check_within(1, || {
        let pool = pool(1, 1);
        pool.submit(|| ()).unwrap();
        pool.discard();
        while let Err(ReopenError::Discarding) = pool.reopen() {
            loom::thread::yield_now();
        }
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn discarding_thread_runs_no_task_after_reopen() {
    check(|| {
        let pool = pool(1, 1);
        pool.submit(|| ()).unwrap();
        let discarder = Arc::new(Mutex::new(None));
        let found = Arc::clone(&discarder);
        let discards = beside(&pool, move |pool| {
            *found.lock().unwrap() = Some(loom::thread::current().id());
            pool.discard();
        });
        let by_discarder = Record::new();
        if pool.is_closed() && pool.reopen().is_ok() {
            let (by_discarder, discarder) = (by_discarder.clone(), Arc::clone(&discarder));
            let _closed_again = pool.try_submit(move || {
                if *discarder.lock().unwrap() == Some(loom::thread::current().id()) {
                    by_discarder.add();
                }
            });
        }
        discards.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(by_discarder.count(), 0);
    });
}

#[test]
fn ended_subpool_leaves_other_subpools_registered() {
    check_within(1, || {
        let pool = pool(1, 1);
        let (ended, other) = (
            pool.subpool().capacity(1).build().unwrap(),
            pool.subpool().capacity(1).build().unwrap(),
        );
        ended.submit(|| ()).unwrap();
        ended.shutdown().wait().unwrap();
        assert!(!other.is_closed());
        pool.shutdown().wait().unwrap();
        assert!(other.is_closed());
    });
}

#[test]
fn task_submitted_during_a_reopen_is_run() {
    check(|| {
        let pool = pool(1, 1);
        pool.close();
        let ran = Record::new();
        let task = ran.task();
        let submitter = beside(&pool, move |pool| pool.try_submit(task).is_ok());
        pool.reopen().unwrap();
        let accepted = usize::from(submitter.join().unwrap());
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), accepted);
    });
}
