//! The limits of tasks, threads and waiting submitters hold exactly.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use anthill::Pool;

use super::running::Running;
use crate::support::{Gate, block_on, eventually, pool};

/// ants #50, #154, #374: a submit checked for room without the lock.
#[test]
fn many_submitters_never_exceed_the_capacity() {
    const EACH: usize = 25_000;
    const CAPACITY: usize = 3;
    let pool = pool(CAPACITY, 8);
    let running = Arc::new(Running::default());
    let beyond = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    pool.submit(running.task()).unwrap();
                    beyond.fetch_max(pool.in_flight(), Ordering::Relaxed);
                }
            });
        }
    });
    pool.shutdown().wait().unwrap();
    assert!(running.most() <= CAPACITY, "{} at once", running.most());
    assert!(beyond.into_inner() <= CAPACITY);
    assert_eq!((running.ended(), pool.in_flight()), (4 * EACH, 0));
}

/// Seen in ants: after it was tuned down, as many tasks ran at once as there were idle workers.
#[test]
fn idle_threads_do_not_exceed_a_lowered_capacity() {
    let builder = Pool::builder().capacity(10).threads(10..=10);
    let pool = builder.idle_expiry(Duration::MAX).build().unwrap();
    let gate = Gate::new();
    for _ in 0..10 {
        pool.submit(gate.waiter()).unwrap();
    }
    eventually(|| pool.stats().running == 10);
    gate.open();
    eventually(|| pool.stats().idle_threads == 10 && pool.in_flight() == 0);
    pool.set_capacity(2);
    let running = Arc::new(Running::default());
    for _ in 0..5_000 {
        pool.submit(running.task()).unwrap();
        assert!(pool.in_flight() <= 2);
    }
    pool.shutdown().wait().unwrap();
    assert!(running.most() <= 2, "{} at once", running.most());
    assert_eq!(running.ended(), 5_000);
}

/// Seen in ants: of two workers that finish after a tune-down to one, both left.
#[test]
fn only_surplus_threads_leave_when_tasks_end_together() {
    for round in 1..=200 {
        let builder = Pool::builder().threads(0..=4);
        let pool = builder.idle_expiry(Duration::MAX).build().unwrap();
        let gate = Gate::new();
        for _ in 0..4 {
            pool.submit(gate.waiter()).unwrap();
        }
        eventually(|| pool.stats().running == 4);
        let stay = 1 + round % 3;
        pool.set_threads(0..=stay).unwrap();
        gate.open();
        eventually(|| (pool.stats().threads, pool.in_flight()) == (stay, 0));
        eventually(|| pool.stats().idle_threads == stay);
        // A surplus exit would show as another start.
        assert_eq!(
            (pool.stats().threads, pool.stats().threads_started),
            (stay, 4)
        );
    }
}

/// Seen in ants: a newcomer took the slot of an admitted waiter, which then got overload.
#[test]
fn admitted_waiter_gets_a_slot_and_never_full() {
    let builder = Pool::builder().capacity(1).threads(0..=1).max_waiting(1);
    let pool = builder.build().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        let held = pool.try_slot().unwrap();
        let mut first = Box::pin(pool.slot());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        drop(held);
        // The slot belongs to the first waiter until it is polled, and its place in line is free.
        assert!(pool.try_slot().is_err());
        let mut second = Box::pin(pool.slot());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(Ok(slot)) = first.as_mut().poll(&mut cx) else {
            panic!("the first waiter was granted a slot");
        };
        drop(slot);
        assert!(
            pool.try_slot().is_err(),
            "the slot belongs to the second waiter"
        );
        drop(block_on(second).unwrap());
    }
    assert_eq!((pool.in_flight(), pool.stats().waiting), (0, 0));
}
