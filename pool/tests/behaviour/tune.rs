//! Changes of the capacity while the pool runs.

use std::thread;

use anthill::{Pool, SlotError};

use crate::support::{Gate, eventually, pool};

#[track_caller]
fn assert_full(pool: &Pool) {
    let refused = pool.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
}

#[test]
fn larger_capacity_admits_a_waiter_at_once() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || pool.submit(|| ()).unwrap())
    };
    eventually(|| pool.stats().waiting == 1);
    pool.set_capacity(2);
    submitter.join().unwrap();
    assert_eq!((pool.in_flight(), pool.capacity()), (2, 2));
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn smaller_capacity_admits_nothing_until_enough_ended() {
    let pool = pool(3, 3);
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    for gate in &gates {
        pool.submit(gate.waiter()).unwrap();
    }
    pool.set_capacity(1);
    let stats = pool.stats();
    assert_eq!((stats.capacity, stats.in_flight, stats.free), (1, 3, 0));
    for (ended, gate) in gates.iter().enumerate().take(2) {
        gate.open();
        eventually(|| pool.in_flight() == 2 - ended);
        assert_full(&pool);
    }
    gates[2].open();
    eventually(|| pool.in_flight() == 0);
    pool.try_submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
}

#[test]
fn capacity_changes_to_unlimited_and_back() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    pool.set_capacity(usize::MAX);
    assert_eq!(pool.capacity(), usize::MAX);
    for _ in 0..10_000 {
        pool.try_submit(|| ()).unwrap();
    }
    pool.set_capacity(5);
    assert_full(&pool);
    gate.open();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().free, 5);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 10_001);
}

#[test]
fn zero_capacity_pauses_the_pool() {
    let pool = pool(2, 1);
    pool.set_capacity(0);
    assert_full(&pool);
    pool.set_capacity(1);
    pool.try_submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
}

#[test]
fn subpool_has_a_capacity_of_its_own() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let subpool = pool.subpool().capacity(2).build().unwrap();
    subpool.try_submit(|| ()).unwrap();
    subpool.try_submit(|| ()).unwrap();
    assert_full(&subpool);
    assert_full(&pool);
    assert_eq!((pool.in_flight(), subpool.in_flight()), (1, 2));
    assert_eq!((pool.stats().accepted, subpool.stats().accepted), (1, 2));
    gate.open();
    subpool.shutdown().wait().unwrap();
    assert!(!pool.is_closed(), "a subpool closes alone");
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 4);
}

#[test]
fn close_of_a_pool_closes_its_subpools() {
    let pool = pool(1, 1);
    let subpool = pool.subpool().capacity(1).build().unwrap();
    pool.shutdown().wait().unwrap();
    assert!(matches!(subpool.submit(|| ()), Err(SlotError::Closed)));
    assert!(
        pool.subpool().capacity(1).build().unwrap().is_closed(),
        "a subpool of a closed pool is closed"
    );
}

#[test]
fn subpool_keeps_its_pool_open() {
    let subpool = {
        let pool = Pool::builder().capacity(1).threads(0..=1).build().unwrap();
        pool.subpool().capacity(1).build().unwrap()
    };
    subpool.submit(|| ()).unwrap();
    subpool.shutdown().wait().unwrap();
    assert_eq!(subpool.stats().completed, 1);
}

#[test]
fn larger_capacity_admits_as_many_waiters_as_fit() {
    let pool = pool(1, 1);
    let _held = pool.try_slot().unwrap();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| pool.slot().wait_timeout(std::time::Duration::MAX).unwrap()))
            .collect();
        eventually(|| pool.stats().waiting == 3);
        pool.set_capacity(3);
        // Those that got a slot keep it until the third is let in.
        eventually(|| pool.stats().waiting == 1);
        assert_eq!(pool.in_flight(), 3);
        pool.set_capacity(4);
        for waits in waiting {
            drop(waits.join().unwrap());
        }
    });
}
