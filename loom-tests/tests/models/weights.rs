//! I17: a request for several slots is granted whole, in its turn, and never deadlocks with others.

use std::pin::pin;
use std::time::Duration;

use anthill::{Pool, Slot, SlotError};
use loom_tests::{beside, check, check_within, poll_once, pool};

/// A pool of two slots, one of them held.
fn half_full() -> (Pool, Slot<'static>) {
    let pool = pool(2, 1);
    let held = pool.try_slot().unwrap().into_owned();
    (pool, held)
}

fn take(pool: &Pool, count: usize) {
    drop(loom::future::block_on(pool.slots(count)).unwrap());
    assert!(pool.in_flight() <= 2);
}

#[test]
fn freed_slot_completes_a_large_request() {
    check(|| {
        let (pool, held) = half_full();
        let large = beside(&pool, |pool| take(pool, 2));
        drop(held);
        large.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn large_and_small_requests_all_get_their_slots() {
    check_within(1, || {
        let pool = pool(2, 1);
        let large = beside(&pool, |pool| take(pool, 2));
        let small = beside(&pool, |pool| take(pool, 1));
        take(&pool, 2);
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn large_request_that_gives_up_admits_the_next() {
    check(|| {
        let (pool, held) = half_full();
        let small = {
            let mut large = pin!(pool.slots(2));
            assert!(poll_once(large.as_mut()).is_pending());
            let small = beside(&pool, |pool| take(pool, 1));
            loom::thread::yield_now();
            small
        };
        small.join().unwrap();
        drop(held);
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn slots_granted_to_a_dropped_request_are_released() {
    check(|| {
        let (pool, held) = half_full();
        let frees = {
            let mut large = pin!(pool.slots(2));
            assert!(poll_once(large.as_mut()).is_pending());
            let frees = loom_tests::other(move || drop(held));
            loom::thread::yield_now();
            frees
        };
        frees.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
        drop(pool.try_slots(2).unwrap());
    });
}

#[test]
fn late_large_request_loses_no_slot() {
    check(|| {
        let (pool, held) = half_full();
        let large = beside(&pool, |pool| {
            pool.slots(2).wait_timeout(Duration::ZERO).map(drop)
        });
        drop(held);
        let result = large.join().unwrap();
        assert!(matches!(result, Ok(()) | Err(SlotError::Timeout)));
        drop(pool.try_slots(2).unwrap());
    });
}

#[test]
fn shrinking_refuses_a_request_beyond_the_capacity() {
    check(|| {
        let (pool, held) = half_full();
        let large = beside(&pool, |pool| {
            loom::future::block_on(pool.slots(2)).map(drop)
        });
        pool.set_capacity(1);
        assert_eq!(large.join().unwrap(), Err(SlotError::TooMany));
        drop(held);
        drop(pool.try_slot().unwrap());
    });
}

#[test]
fn task_releases_all_its_slots() {
    check(|| {
        let pool = pool(2, 1);
        let slot = pool.try_slots(2).unwrap();
        let task = slot.submit_with_handle(|| ());
        let next = beside(&pool, |pool| take(pool, 2));
        task.wait().unwrap();
        next.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}
