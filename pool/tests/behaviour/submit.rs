//! Submits to a pool that has room, is full, or is closed.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Pool, SlotError};

use crate::support::{Gate, block_on, eventually, pool};

#[test]
fn every_accepted_closure_runs_once() {
    let pool = Pool::builder().capacity(64).threads(0..=4).build().unwrap();
    let (ran, seen) = mpsc::channel();
    let submitters: Vec<_> = (0..4)
        .map(|who| {
            let (pool, ran) = (pool.clone(), ran.clone());
            thread::spawn(move || {
                for n in 0..5_000 {
                    let ran = ran.clone();
                    pool.submit(move || ran.send(who * 5_000 + n).unwrap())
                        .unwrap();
                }
            })
        })
        .collect();
    for submitter in submitters {
        submitter.join().unwrap();
    }
    pool.shutdown().wait().unwrap();
    drop(ran);
    let mut seen: Vec<i32> = seen.into_iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..20_000).collect::<Vec<_>>());
    let stats = pool.stats();
    assert_eq!(
        (stats.accepted, stats.completed, stats.in_flight),
        (20_000, 20_000, 0)
    );
}

#[test]
fn large_and_small_closures_keep_what_they_captured() {
    let pool = pool(8, 2);
    let (ran, seen) = mpsc::channel();
    let other = ran.clone();
    let large = [7_u64; 100];
    pool.submit(move || ran.send(large.iter().sum::<u64>()).unwrap())
        .unwrap();
    pool.submit(move || other.send(1).unwrap()).unwrap();
    let mut sums: Vec<u64> = seen.iter().take(2).collect();
    sums.sort_unstable();
    assert_eq!(sums, [1, 700]);
}

#[test]
fn one_thread_runs_closures_in_order() {
    let pool = pool(1000, 1);
    let (ran, seen) = mpsc::channel();
    for n in 0..1000 {
        let ran = ran.clone();
        pool.submit(move || ran.send(n).unwrap()).unwrap();
    }
    drop(ran);
    assert!(seen.into_iter().eq(0..1000));
}

#[test]
fn try_submit_on_a_full_pool_returns_the_task() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let (ran, seen) = mpsc::channel();
    let refused = pool
        .try_submit(move || ran.send("handed back").unwrap())
        .unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    refused.into_task()();
    assert_eq!(seen.recv().unwrap(), "handed back");
    assert_eq!(pool.stats().rejected_full, 1);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn nonblocking_pool_refuses_plain_submits_when_full() {
    let pool = Pool::builder()
        .capacity(1)
        .threads(0..=1)
        .nonblocking(true)
        .build()
        .unwrap();
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    assert!(matches!(pool.submit(|| ()), Err(SlotError::Full)));
    assert!(matches!(pool.spawn(async {}), Err(SlotError::Full)));
    gate.open();
}

#[test]
fn plain_submit_waits_for_a_slot() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let (ran, seen) = mpsc::channel();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || pool.submit(move || ran.send(()).unwrap()).unwrap())
    };
    eventually(|| pool.stats().waiting == 1);
    assert!(seen.try_recv().is_err());
    gate.open();
    submitter.join().unwrap();
    seen.recv().unwrap();
}

#[test]
fn timed_out_wait_is_refused_and_leaves_the_line() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let refused = pool
        .slot()
        .wait_timeout(Duration::from_millis(5))
        .map(|slot| slot.submit(|| ()));
    assert!(matches!(refused, Err(SlotError::Timeout)));
    let refused = pool
        .slot()
        .wait_deadline(Instant::now())
        .map(|slot| slot.submit(|| ()));
    assert!(matches!(refused, Err(SlotError::Timeout)));
    let stats = pool.stats();
    assert_eq!((stats.waiting, stats.rejected_timeout), (0, 2));
    gate.open();
    pool.slot()
        .wait_timeout(Duration::from_secs(60))
        .map(|slot| slot.submit(|| ()))
        .unwrap();
    pool.slot()
        .wait_timeout(Duration::MAX)
        .map(|slot| slot.submit(|| ()))
        .unwrap();
    pool.shutdown().wait().unwrap();
}

#[test]
fn max_waiting_bounds_the_line() {
    let pool = Pool::builder()
        .capacity(1)
        .threads(0..=1)
        .max_waiting(1)
        .build()
        .unwrap();
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || pool.submit(|| ()))
    };
    eventually(|| pool.stats().waiting == 1);
    assert!(matches!(pool.submit(|| ()), Err(SlotError::Full)));
    let late = pool
        .slot()
        .wait_timeout(Duration::from_secs(60))
        .map(|slot| slot.submit(|| ()));
    assert!(matches!(late, Err(SlotError::Full)));
    assert!(matches!(
        block_on(pool.slot()).map(|slot| slot.submit(|| ())),
        Err(SlotError::Full)
    ));
    gate.open();
    submitter.join().unwrap().unwrap();
}

#[test]
fn closed_pool_refuses_every_task() {
    let pool = pool(4, 1);
    pool.close();
    assert!(matches!(pool.submit(|| ()), Err(SlotError::Closed)));
    let refused = pool.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Closed);
    let timed = pool
        .slot()
        .wait_timeout(Duration::from_secs(60))
        .map(|slot| slot.submit(|| ()));
    assert!(matches!(timed, Err(SlotError::Closed)));
    assert!(matches!(
        block_on(pool.slot()).map(|slot| slot.submit(|| ())),
        Err(SlotError::Closed)
    ));
    assert!(matches!(pool.spawn(async {}), Err(SlotError::Closed)));
    assert!(matches!(pool.try_slot(), Err(SlotError::Closed)));
    assert_eq!(pool.stats().rejected_closed, 6);
}

#[test]
fn close_refuses_waiting_submitters() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || pool.submit(|| ()))
    };
    eventually(|| pool.stats().waiting == 1);
    pool.close();
    assert!(matches!(submitter.join().unwrap(), Err(SlotError::Closed)));
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn worker_never_waits_for_its_own_pool() {
    let pool = pool(1, 1);
    let (told, seen) = mpsc::channel();
    let own = pool.clone();
    pool.submit(move || {
        let waited = own.submit(|| ());
        let timed = own
            .slot()
            .wait_timeout(Duration::from_secs(60))
            .map(|slot| slot.submit(|| ()));
        told.send((waited, timed)).unwrap();
    })
    .unwrap();
    let refused = Err(SlotError::WouldDeadlock);
    assert_eq!(seen.recv().unwrap(), (refused, refused));
}

#[test]
fn worker_may_submit_to_its_own_pool_while_there_is_room() {
    let pool = pool(2, 1);
    let (ran, seen) = mpsc::channel();
    let own = pool.clone();
    pool.submit(move || own.submit(move || ran.send(()).unwrap()).unwrap())
        .unwrap();
    seen.recv().unwrap();
}

#[test]
fn reserved_slot_is_kept_until_it_is_used_or_dropped() {
    let pool = pool(1, 1);
    let slot = pool.try_slot().unwrap();
    assert_eq!((pool.in_flight(), pool.stats().accepted), (1, 0));
    let refused = pool.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    drop(slot);
    let slot = pool.try_slot().unwrap();
    pool.close();
    let (ran, seen) = mpsc::channel();
    slot.submit(move || ran.send(()).unwrap());
    seen.recv().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.in_flight(), pool.stats().accepted), (0, 1));
}

/// A value of 96 KiB that a task can capture.
#[expect(clippy::large_stack_arrays, reason = "that is what is tested")]
fn large() -> [u8; 96 << 10] {
    std::hint::black_box([1; 96 << 10])
}

fn last(values: &[u8]) -> u8 {
    *std::hint::black_box(values).last().unwrap()
}

#[inline(never)]
fn submit_large(pool: &Pool) {
    let values = large();
    let submitted = pool.submit_with_handle(move || last(&values));
    let handle = submitted.unwrap();
    assert_eq!(handle.wait().unwrap(), 1);
}

#[inline(never)]
fn submit_large_without_a_handle(pool: &Pool) {
    let values = large();
    let submitted = pool.submit(move || assert_eq!(last(&values), 1));
    submitted.unwrap();
}

#[inline(never)]
fn submit_large_to_a_strand(pool: &Pool) {
    let values = large();
    let submitted = pool.strand().submit_with_handle(move || last(&values));
    let handle = submitted.unwrap();
    assert_eq!(handle.wait().unwrap(), 1);
}

#[inline(never)]
fn spawn_large(pool: &Pool) {
    let values = large();
    let spawned = pool.spawn_with_handle(async move { last(&values) });
    let handle = spawned.unwrap();
    assert_eq!(handle.wait().unwrap(), 1);
}

#[test]
fn large_captures_fit_stacks_of_2_mib_without_optimisation() {
    let test = || {
        let pool = pool(4, 2);
        submit_large(&pool);
        submit_large_without_a_handle(&pool);
        submit_large_to_a_strand(&pool);
        spawn_large(&pool);
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 4);
    };
    let builder = std::thread::Builder::new().stack_size(2 << 20);
    builder.spawn(test).unwrap().join().unwrap();
}
