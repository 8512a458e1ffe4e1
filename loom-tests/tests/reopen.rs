//! I13: a pool that is opened again loses nothing to the late workers of its old life.
//! I2 also for discarded tasks: each ends once, run or discarded.
#![cfg(anthill_loom)]

use std::sync::{Arc, Mutex};

use anthill::{JoinError, ReopenError, ShutdownError};
use loom_tests::{Record, beside, busy, check, check_within, keeping, pool};

#[test]
fn a_task_of_the_new_life_is_run_while_the_old_workers_leave() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        pool.close();
        // The worker may not have come yet, run the task, be on its way out, or gone.
        pool.reopen().unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_pool_is_reopened_while_another_waits_for_its_end() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        let waits = beside(&pool, |pool| pool.shutdown().wait());
        pool.reopen().unwrap();
        // If it was not closed yet, the other closes it now, and waits for this end.
        pool.close();
        let ended = waits.join().unwrap();
        assert!(matches!(ended, Ok(()) | Err(ShutdownError::Reopened)));
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().threads), (1, 0));
    });
}

#[test]
fn one_that_waits_for_an_end_that_does_not_come_is_told() {
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
fn the_fewest_threads_are_there_in_every_life() {
    check(|| {
        let pool = keeping(1..=1).capacity(1).build().unwrap();
        pool.close();
        pool.reopen().unwrap();
        // One that is on its way out starts its successor, if the reopen came too early to.
        while pool.stats().threads_started < 2 && pool.stats().idle_threads == 0 {
            loom::thread::yield_now();
        }
        pool.shutdown().wait().unwrap();
        // One that was about to be started when the pool ended finds that, and leaves.
        while pool.stats().threads > 0 {
            loom::thread::yield_now();
        }
    });
}

#[test]
fn a_subpool_that_is_reopened_closes_with_its_pool() {
    check(|| {
        let pool = pool(1, 1);
        let side = pool.subpool().capacity(1).build().unwrap();
        let ran = Record::new();
        side.submit(ran.task()).unwrap();
        side.close();
        side.reopen().unwrap();
        // Its last task may only now have found that it is the last of the old life.
        side.submit(ran.task()).unwrap();
        pool.close();
        assert!(side.is_closed());
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_discarded_task_is_run_or_dropped() {
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
fn what_waits_behind_a_task_is_discarded() {
    check(|| {
        let pool = pool(2, 1);
        let (begun, go) = busy(&pool);
        begun.recv().unwrap();
        let behind = pool.submit_with_handle(|| ()).unwrap();
        pool.discard();
        // At once, while the worker is busy.
        assert!(matches!(behind.wait(), Err(JoinError::Cancelled)));
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().discarded, 1);
    });
}

#[test]
fn what_comes_after_a_discard_is_not_discarded() {
    check(|| {
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
fn one_that_discards_runs_nothing_of_the_next_life() {
    check(|| {
        let pool = pool(1, 1);
        pool.submit(|| ()).unwrap();
        let discarder = Arc::new(Mutex::new(None));
        let found = Arc::clone(&discarder);
        let discards = beside(&pool, move |pool| {
            *found.lock().unwrap() = Some(loom::thread::current().id());
            pool.discard();
        });
        let strange = Record::new();
        if pool.is_closed() && pool.reopen().is_ok() {
            let (strange, discarder) = (strange.clone(), Arc::clone(&discarder));
            let _closed_again = pool.try_submit(move || {
                if *discarder.lock().unwrap() == Some(loom::thread::current().id()) {
                    strange.add();
                }
            });
        }
        discards.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(strange.count(), 0);
    });
}

#[test]
fn a_subpool_that_has_ended_is_off_the_list_and_no_other() {
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
