//! A closed pool can be reopened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use anthill::{Pool, ReopenError, ShutdownError};

use crate::support::{Gate, eventually, pool};

#[test]
fn reopened_pool_runs_tasks_again() {
    let pool = pool(2, 2);
    for life in 1..=3 {
        assert_eq!(
            pool.submit_with_handle(move || life)
                .unwrap()
                .wait()
                .unwrap(),
            life
        );
        pool.shutdown().wait().unwrap();
        assert!(pool.submit(|| ()).is_err());
        assert_eq!(pool.stats().threads, 0);
        pool.reopen().unwrap();
    }
    assert_eq!(pool.stats().completed, 3);
}

#[test]
fn reopen_of_an_open_pool_changes_nothing() {
    let pool = pool(1, 1);
    pool.reopen().unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn running_task_keeps_its_slot_across_a_reopen() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    let old = pool.submit_with_handle(gate.waiter()).unwrap();
    pool.close();
    pool.reopen().unwrap();
    assert!(pool.try_submit(|| ()).is_err(), "its slot is taken");
    gate.open();
    old.wait().unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn reopen_ends_a_waiting_shutdown() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.shutdown().wait());
        eventually(|| pool.is_closed());
        pool.reopen().unwrap();
        assert_eq!(waits.join().unwrap(), Err(ShutdownError::Reopened));
    });
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn subpool_reopens_by_itself_after_its_pool() {
    let pool = pool(1, 1);
    let side = pool.subpool().capacity(1).build().unwrap();
    pool.close();
    assert_eq!(side.reopen(), Err(ReopenError::PoolClosed));
    pool.reopen().unwrap();
    assert!(side.is_closed());
    side.reopen().unwrap();
    side.submit(|| ()).unwrap();
    // It closes with its pool again.
    pool.close();
    assert!(side.is_closed());
    pool.shutdown().wait().unwrap();
}

#[test]
fn reopen_starts_the_minimum_of_threads() {
    let pool = Pool::builder().threads(2..=2).build().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().threads, 0);
    pool.reopen().unwrap();
    assert_eq!(pool.stats().threads, 2);
}

/// Threads close, discard, reopen and submit at the same time. Every accepted task ends once, and the
/// pool works afterwards.
#[test]
fn reopen_races_with_close_and_discard() {
    const ROUNDS: usize = 2_000;
    let pool = Pool::builder().capacity(4).threads(1..=2).build().unwrap();
    let side = pool.subpool().capacity(2).build().unwrap();
    let ran = Arc::new(AtomicU64::new(0));
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                for round in 0..ROUNDS {
                    let ran = Arc::clone(&ran);
                    let entrance = if round % 3 == 0 { &side } else { &pool };
                    let _closed = entrance.submit(move || _ = ran.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        scope.spawn(|| {
            start.wait();
            for round in 0..ROUNDS {
                match round % 5 {
                    0 => pool.close(),
                    1 => pool.discard(),
                    2 => side.discard(),
                    3 => side.close(),
                    _ => _ = pool.shutdown().wait(),
                }
            }
        });
        scope.spawn(|| {
            start.wait();
            for _ in 0..ROUNDS {
                let _not_yet = pool.reopen();
                let _nor_this = side.reopen();
            }
        });
    });
    pool.shutdown().wait().unwrap();
    pool.reopen().unwrap();
    side.reopen().unwrap();
    let (said, heard) = mpsc::channel();
    for entrance in [&pool, &side] {
        let said = said.clone();
        entrance.submit(move || said.send(()).unwrap()).unwrap();
        heard.recv().unwrap();
    }
    pool.shutdown().wait().unwrap();
    let (stats, side) = (pool.stats(), side.stats());
    assert_eq!(stats.completed, ran.load(Ordering::Relaxed) + 2);
    assert_eq!(
        stats.accepted + side.accepted,
        stats.completed + stats.discarded
    );
    assert_eq!((stats.in_flight, side.in_flight, stats.threads), (0, 0, 0));
}
