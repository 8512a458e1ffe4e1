//! Handles return the result or the panic of a task.

use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Group, Pool, SlotError};

use crate::support::{Gate, block_on, eventually, pool, yield_now};

#[test]
fn thread_waits_for_a_closure_and_a_future() {
    let pool = pool(4, 2);
    let closure = pool.submit_with_handle(|| vec![1, 2]).unwrap();
    let future = pool
        .spawn_with_handle(async {
            yield_now().await;
            "done"
        })
        .unwrap();
    assert_eq!(closure.wait().unwrap(), [1, 2]);
    assert_eq!(future.wait().unwrap(), "done");
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn future_awaits_a_task_of_its_own_pool() {
    let pool = pool(2, 1);
    let own = pool.clone();
    let outer = pool.spawn_with_handle(async move {
        let inner = own.submit_with_handle(|| 20).unwrap();
        inner.await.unwrap() + 1
    });
    assert_eq!(block_on(outer.unwrap()).unwrap(), 21);
}

#[test]
fn timed_out_wait_returns_the_handle() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    let handle = pool.submit_with_handle(gate.waiter()).unwrap();
    let handle = handle.wait_timeout(Duration::from_millis(5)).unwrap_err();
    assert!(!handle.is_finished());
    gate.open();
    handle.wait_timeout(Duration::MAX).unwrap().unwrap();
}

#[test]
fn panic_goes_to_the_handle_and_not_to_the_handler() {
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().capacity(2).threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    let closure = pool
        .submit_with_handle(|| panic!("in the closure"))
        .unwrap();
    let future = pool
        .spawn_with_handle(async { panic!("in the future") })
        .unwrap();
    assert_eq!(
        closure.wait().unwrap_err().to_string(),
        "a task of pool `anthill` panicked: in the closure"
    );
    let error = block_on(future).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a task of pool `anthill` panicked: in the future"
    );
    pool.shutdown().wait().unwrap();
    assert!(reports.try_recv().is_err());
    assert_eq!((pool.stats().panicked, pool.stats().completed), (2, 0));
}

#[test]
fn panic_of_a_task_without_handle_goes_to_the_handler() {
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    let gate = Gate::new();
    let wait = gate.waiter();
    let handle = pool.submit_with_handle(move || {
        wait();
        panic!("no handle is left");
    });
    drop(handle.unwrap());
    gate.open();
    assert_eq!(reports.recv().unwrap().message(), Some("no handle is left"));
}

#[test]
fn refused_try_returns_its_task_unchanged() {
    let pool = pool(1, 1);
    pool.close();
    let (ran, seen) = mpsc::channel();
    let polled = ran.clone();
    let refused = pool.try_submit(move || ran.send(7).unwrap()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Closed);
    refused.into_task()();
    let future = async move { polled.send(8).unwrap() };
    let refused = pool.try_spawn(future).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Closed);
    block_on(refused.into_task());
    assert!(seen.into_iter().eq([7, 8]));
}

#[test]
fn refused_submit_with_handle_drops_its_task() {
    let pool = pool(1, 1);
    pool.close();
    let owned = Arc::new(());
    let (closure, future) = (Arc::clone(&owned), Arc::clone(&owned));
    let refused = pool.submit_with_handle(move || drop(closure));
    assert_eq!(refused.unwrap_err(), SlotError::Closed);
    let refused = pool.spawn_with_handle(async move { drop(future) });
    assert_eq!(refused.unwrap_err(), SlotError::Closed);
    assert_eq!(Arc::strong_count(&owned), 1);
}

#[test]
fn slot_from_a_timed_wait_returns_results() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    assert!(matches!(
        pool.slot().wait_timeout(Duration::from_millis(1)),
        Err(SlotError::Timeout)
    ));
    let waiting = {
        let pool = pool.clone();
        thread::spawn(move || {
            let slot = pool.slot().wait_timeout(Duration::from_secs(60));
            slot.unwrap().into_owned()
        })
    };
    eventually(|| pool.stats().waiting == 1);
    drop(held);
    assert_eq!(
        waiting
            .join()
            .unwrap()
            .submit_with_handle(|| 3)
            .wait()
            .unwrap(),
        3
    );
    assert_eq!(
        pool.slot()
            .wait_timeout(Duration::MAX)
            .unwrap()
            .spawn_with_handle(async { 4 })
            .wait()
            .unwrap(),
        4
    );
}

#[test]
fn handle_polled_after_a_timed_wait_sees_the_end() {
    let (pool, gate) = (pool(4, 1), Gate::new());
    let mut handle = pool.submit_with_handle(gate.waiter()).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    let mut handle = handle.wait_timeout(Duration::ZERO).unwrap_err();
    gate.open();
    eventually(|| handle.is_finished());
    assert!(Pin::new(&mut handle).poll(&mut cx).is_ready());
}

#[test]
fn panic_in_the_drop_of_an_unused_result_is_counted() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let (pool, gate) = (pool(4, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    drop(pool.submit_with_handle(|| Bomb).unwrap());
    gate.open();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.completed, stats.panicked), (2, 1, 1));
}

/// Ends a task with each of these 2,000 times, in a pool with one slot, and expects the slot to be free each time.
#[track_caller]
fn leaves_room(end: impl Fn(&Pool)) {
    let pool = pool(1, 2);
    for round in 1..=2_000 {
        end(&pool);
        let ended = pool.stats().completed;
        drop(pool.try_slot().expect("its slot has gone back"));
        assert_eq!(ended, round, "and it is counted");
    }
}

#[test]
fn joined_task_has_released_its_slot() {
    leaves_room(|pool| pool.submit_with_handle(|| ()).unwrap().wait().unwrap());
    leaves_room(|pool| pool.spawn_with_handle(yield_now()).unwrap().wait().unwrap());
    leaves_room(|pool| block_on(pool.submit_with_handle(|| ()).unwrap()).unwrap());
    leaves_room(|pool| {
        let strand = pool.strand();
        strand.submit_with_handle(|| ()).unwrap().wait().unwrap();
    });
    leaves_room(|pool| pool.scope(|scope| scope.submit(|| ()).unwrap()));
    leaves_room(|pool| {
        let mut group = Group::new();
        group.push(pool.submit_with_handle(|| ()).unwrap());
        group.wait().values().unwrap();
    });
}
