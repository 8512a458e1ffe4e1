//! Cancelled tasks, and tasks that can no longer be woken.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;

use anthill::{JoinError, Priority};

use crate::support::{Gate, block_on, eventually, pool};

#[test]
fn cancelled_unstarted_closure_is_dropped_at_once() {
    let pool = pool(2, 1);
    let gate = Gate::new();
    let running = pool.submit_with_handle(gate.waiter()).unwrap();
    eventually(|| pool.stats().running == 1 && pool.stats().queued == 0);
    let owned = Arc::new(());
    let inside = Arc::clone(&owned);
    let queued = pool.submit_with_handle(move || drop(inside)).unwrap();
    assert!(!running.cancel(), "it runs");
    assert!(queued.cancel());
    assert!(!queued.cancel(), "only once");
    assert_eq!(Arc::strong_count(&owned), 1);
    assert!(queued.is_finished());
    assert!(matches!(queued.wait(), Err(JoinError::Cancelled)));
    gate.open();
    running.wait().unwrap();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(
        (stats.completed, stats.cancelled, stats.in_flight),
        (1, 1, 0)
    );
}

#[test]
fn cancelled_suspended_future_releases_its_slot() {
    let pool = pool(1, 1);
    let owned = Arc::new(());
    let inside = Arc::clone(&owned);
    let (begun, seen) = mpsc::channel();
    let handle = pool.spawn_with_handle(async move {
        begun.send(()).unwrap();
        pending::<()>().await;
        drop(inside);
    });
    let handle = handle.unwrap();
    seen.recv().unwrap();
    eventually(|| pool.stats().idle_threads == 1);
    assert!(handle.cancel());
    assert!(matches!(block_on(handle), Err(JoinError::Cancelled)));
    eventually(|| pool.in_flight() == 0);
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn future_without_wakers_is_dropped_with_its_handle() {
    let pool = pool(1, 1);
    let handle = pool.spawn_with_handle(pending::<()>()).unwrap();
    drop(handle);
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn task_that_polls_its_own_handle_is_dropped() {
    let pool = pool(1, 1);
    let (said, heard) = mpsc::channel::<anthill::JoinHandle<()>>();
    let mut own = None;
    let task = std::future::poll_fn(move |cx| {
        let mut handle = own.take().unwrap_or_else(|| heard.recv().unwrap());
        assert!(Pin::new(&mut handle).poll(cx).is_pending());
        // Dropped with the task's waker in it; with the last one the task goes.
        Poll::<()>::Pending
    });
    said.send(pool.spawn_with_handle(task).unwrap()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn cancelled_closure_releases_slot_and_memory_at_once() {
    let (pool, gate) = (pool(2, 1), Gate::new());
    crate::support::occupy(&pool, &gate);
    for _ in 0..10_000 {
        let slot = pool.try_slot().expect("the last one has released its slot");
        let queued = slot.submit_with_handle(|| ());
        assert!(queued.cancel());
        assert!(matches!(queued.wait(), Err(JoinError::Cancelled)));
    }
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (1, 10_000));
    assert!(
        stats.queued < 2_000,
        "{} are left in the queue",
        stats.queued
    );
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

/// How many entries may be left of 10,000 closures that were ended out of turn.
const LEFT: usize = 2_000;

#[test]
fn cancelled_closures_of_a_strand_do_not_pile_up() {
    let (pool, gate) = (pool(3, 1), Gate::new());
    let strand = pool.strand();
    strand.submit(gate.waiter()).unwrap();
    for _ in 0..10_000 {
        let queued = strand.submit_with_handle(|| ()).unwrap();
        assert!(queued.cancel());
    }
    assert_eq!(pool.in_flight(), 1);
    let queued = strand.queued();
    assert!(queued < LEFT, "{queued} are left in the strand");
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn closures_that_a_closure_cancels_do_not_pile_up() {
    let pool = pool(3, 1);
    let own = pool.clone();
    let canceller = pool.submit_with_handle(move || {
        for _ in 0..10_000 {
            let queued = own.submit_with_handle(|| ()).unwrap();
            assert!(queued.cancel());
        }
        own.stats().queued
    });
    let queued = canceller.unwrap().wait().unwrap();
    assert!(queued < LEFT, "{queued} are left in the worker's queue");
}

#[test]
fn queue_is_searched_when_half_of_it_may_be_cancelled() {
    let pool = pool(302, 1);
    let own = pool.clone();
    let canceller = pool.submit_with_handle(move || {
        (0..300).for_each(|_| own.submit(|| ()).unwrap());
        [298, 1].map(|more| {
            for _ in 0..more {
                let queued = own.submit_with_handle(|| ()).unwrap();
                assert!(queued.cancel());
            }
            own.stats().queued
        })
    });
    let left = canceller.unwrap().wait().unwrap();
    assert_eq!(left, [598, 300]);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 301);
}

#[test]
fn closures_with_a_priority_that_run_in_place_do_not_pile_up() {
    let pool = pool(3, 1);
    let subpool = pool.subpool().priority(Priority::High).build().unwrap();
    let own = subpool.clone();
    let joiner = subpool.submit_with_handle(move || {
        for number in 0..10_000 {
            let child = own.submit_with_handle(move || number).unwrap();
            assert_eq!(child.wait().unwrap(), number);
        }
        own.stats().queued
    });
    let queued = joiner.unwrap().wait().unwrap();
    assert!(queued < LEFT, "{queued} are left in the shared queue");
}

#[test]
fn dropped_handle_cancels_a_running_future_that_suspends() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    let (begun, seen) = mpsc::channel();
    let wait = gate.clone();
    let future = std::future::poll_fn(move |cx| {
        // The waker stays elsewhere, as with a timer, so its drop does not end the task.
        begun.send(cx.waker().clone()).unwrap();
        wait.wait();
        Poll::<()>::Pending
    });
    let handle = pool.spawn_with_handle(future).unwrap().cancel_on_drop();
    let _waker = seen.recv().unwrap();
    drop(handle);
    gate.open();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().cancelled, 1);
}
