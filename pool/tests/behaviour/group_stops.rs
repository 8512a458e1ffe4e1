//! A group stops at the first error, or when it is cancelled.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anthill::{Group, GroupError, JoinError};

use crate::support::{Gate, eventually, occupy, pool};

#[test]
fn first_error_in_time_stops_the_group() {
    let (pool, gate) = (pool(8, 2), Gate::new());
    let mut group = Group::new().stop_at_error();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    group.push(
        pool.submit_with_handle(move || {
            said.send(()).unwrap();
            wait.wait();
            Ok(1)
        })
        .unwrap(),
    );
    begun.recv().unwrap();
    group.push(pool.spawn_with_handle(std::future::pending()).unwrap());
    group.push(pool.submit_with_handle(|| Err("no")).unwrap());
    eventually(|| group.is_stopped());
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), Some(2));
    let Err(GroupError::Failed { index: 2, error }) = results.all() else {
        panic!("the third task failed, and the second was cancelled because of it");
    };
    assert_eq!(error, "no");
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled), (2, 1));
}

#[test]
fn panic_stops_a_group_that_stops_at_errors() {
    let pool = pool(8, 1);
    let mut group = Group::<Result<(), ()>>::new().stop_at_error();
    group.push(pool.spawn_with_handle(std::future::pending()).unwrap());
    group.push(
        pool.spawn_with_handle(async { resume_unwind(Box::new("out of paper")) })
            .unwrap(),
    );
    let Err(GroupError::Join { index: 1, error }) = group.wait().all() else {
        panic!("the second task panicked");
    };
    assert_eq!(
        error.to_string(),
        "a task of pool `anthill` panicked: out of paper"
    );
}

#[test]
fn task_pushed_to_a_stopped_group_is_cancelled() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    occupy(&pool, &gate);
    let mut group = Group::<Result<(), ()>>::new().stop_at_error();
    group.push(pool.submit_with_handle(|| unreachable!()).unwrap());
    group.cancel();
    assert!(group.is_stopped());
    group.push(pool.submit_with_handle(|| unreachable!()).unwrap());
    group.push(pool.spawn_with_handle(std::future::pending()).unwrap());
    // Ends although the worker is busy.
    let results = group.wait();
    assert_eq!(results.failed(), None);
    for result in results {
        assert!(matches!(result, Err(JoinError::Cancelled)));
    }
    gate.open();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled), (1, 3));
}

#[test]
fn stopped_group_keeps_the_result_of_a_running_task() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let mut group = Group::new();
    group.cancel();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    let running = pool.submit_with_handle(move || {
        said.send(()).unwrap();
        wait.wait();
        1
    });
    begun.recv().unwrap();
    group.push(running.unwrap());
    gate.open();
    assert_eq!(group.wait().values().unwrap(), [1]);
}

#[test]
fn pushed_error_of_an_ended_task_stops_the_group() {
    let pool = pool(8, 1);
    let failed = pool.submit_with_handle(|| Err("no")).unwrap();
    eventually(|| failed.is_finished());
    let mut group = Group::<Result<(), _>>::new().stop_at_error();
    group.push(pool.spawn_with_handle(std::future::pending()).unwrap());
    group.push(failed);
    assert!(group.is_stopped());
    let results = group.wait();
    assert_eq!(results.failed(), Some(1));
    assert!(matches!(results.into_vec()[0], Err(JoinError::Cancelled)));
}

#[test]
fn error_in_one_pool_cancels_tasks_of_another() {
    let (first, second) = (pool(4, 1), pool(4, 1));
    let gate = Gate::new();
    occupy(&first, &gate);
    let mut group = Group::new().stop_at_error();
    group.push(first.submit_with_handle(|| Ok(1)).unwrap());
    group.push(second.submit_with_handle(|| Err("no")).unwrap());
    let error = group.wait().all().unwrap_err();
    assert!(matches!(
        error,
        GroupError::Failed {
            index: 1,
            error: "no"
        }
    ));
    gate.open();
    first.shutdown().wait().unwrap();
    assert_eq!(first.stats().cancelled, 1);
}

#[test]
fn cancelled_group_ends_with_the_running_tasks() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let mut group = Group::new();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    group.push(
        pool.submit_with_handle(move || {
            said.send(()).unwrap();
            wait.wait();
        })
        .unwrap(),
    );
    begun.recv().unwrap();
    group.push(pool.submit_with_handle(|| unreachable!()).unwrap());
    group.cancel();
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), None);
    let results = results.into_vec();
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(JoinError::Cancelled)));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

#[test]
fn panic_of_a_cancelled_capture_does_not_stop_the_cancelling() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    let mut group = Group::<Result<(), ()>>::new().stop_at_error();
    // The first task panics. The capture of the second panics when it is cancelled.
    group.push(
        pool.submit_with_handle(|| resume_unwind(Box::new("first")))
            .unwrap(),
    );
    let bomb = Bomb;
    group.push(
        pool.submit_with_handle(move || {
            std::mem::forget(bomb);
            Ok(())
        })
        .unwrap(),
    );
    let behind = Arc::new(AtomicUsize::new(0));
    let ran = Arc::clone(&behind);
    group.push(
        pool.submit_with_handle(move || {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap(),
    );
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), Some(0));
    assert_eq!(behind.load(Ordering::Relaxed), 0);
}

#[test]
fn polled_future_of_a_stopped_group_is_cancelled_on_suspend() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let mut group = Group::<()>::new();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    let polled = std::future::poll_fn(move |cx| {
        // Keeps a waker, or the pool drops the future because it can no longer be woken.
        said.send(cx.waker().clone()).unwrap();
        wait.wait();
        std::task::Poll::<()>::Pending
    });
    group.push(pool.spawn_with_handle(polled).unwrap());
    let _waker = begun.recv().unwrap();
    group.cancel();
    gate.open();
    let results = group.wait().into_vec();
    assert!(matches!(results[0], Err(JoinError::Cancelled)));
}
