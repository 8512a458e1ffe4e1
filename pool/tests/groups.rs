//! Tasks that are waited for together.

mod support;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anthill::{Group, GroupError, JoinError, SubmitError};
use support::{Gate, block_on, eventually, pool, yield_now};

#[test]
fn results_come_in_the_order_of_submission() {
    let pool = pool(100, 3);
    let group = pool.group();
    for n in 0..50 {
        group.submit(move || 2 * n).unwrap();
        group
            .spawn(async move {
                yield_now().await;
                2 * n + 1
            })
            .unwrap();
    }
    assert_eq!(group.len(), 100);
    assert_eq!(group.wait().values().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn an_empty_group_has_ended() {
    let pool = pool(1, 1);
    let group: Group<()> = pool.group();
    assert!(group.is_empty());
    assert_eq!(group.wait().into_vec().len(), 0);
}

#[test]
fn without_being_told_it_goes_on_after_an_error_and_a_panic() {
    let pool = pool(8, 1);
    let group = pool.group();
    group.submit(|| Err("first")).unwrap();
    group.submit(|| resume_unwind(Box::new("second"))).unwrap();
    group.submit(|| Ok(3)).unwrap();
    let results = group.wait().into_vec();
    assert!(matches!(results[0], Ok(Err("first"))));
    assert!(matches!(results[1], Err(JoinError::Panicked(_))));
    assert!(matches!(results[2], Ok(Ok(3))));
}

#[test]
fn the_first_error_in_time_stops_the_rest() {
    let (pool, gate) = (pool(8, 2), Gate::new());
    let group = pool.group().stop_at_error();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    group
        .submit(move || {
            said.send(()).unwrap();
            wait.wait();
            Ok(1)
        })
        .unwrap();
    begun.recv().unwrap();
    group.spawn(std::future::pending()).unwrap();
    group.submit(|| Err("no")).unwrap();
    eventually(|| group.is_stopped());
    assert!(matches!(
        group.submit(|| Ok(4)),
        Err(SubmitError::Stopped(_))
    ));
    assert!(matches!(
        block_on(group.spawn_async(async { Ok(5) })),
        Err(SubmitError::Stopped(_))
    ));
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), Some(2));
    let Err(GroupError::Failed { index: 2, error }) = results.all() else {
        panic!("the third task failed, and the second was cancelled because of it");
    };
    assert_eq!(error, "no");
    pool.shutdown().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled), (2, 1));
}

#[test]
fn a_panic_stops_it_as_well() {
    let pool = pool(8, 1);
    let group = pool.group::<Result<(), ()>>().stop_at_error();
    group.spawn(std::future::pending()).unwrap();
    group
        .spawn(async { resume_unwind(Box::new("out of paper")) })
        .unwrap();
    let Err(GroupError::Join { index: 1, error }) = group.wait().all() else {
        panic!("the second task panicked");
    };
    assert_eq!(
        error.to_string(),
        "a task of pool `anthill` panicked: out of paper"
    );
}

#[test]
fn one_that_waits_for_a_slot_when_the_group_stops_is_told() {
    let pool = pool(1, 1);
    let group = Arc::new(pool.group::<Result<(), ()>>().stop_at_error());
    let (go, wait) = mpsc::channel::<()>();
    group
        .submit(move || {
            _ = wait.recv();
            Err(())
        })
        .unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| group.submit(|| unreachable!()).is_err());
        eventually(|| pool.stats().waiting == 1);
        drop(go);
        assert!(waits.join().unwrap());
    });
    pool.shutdown().unwrap();
    assert_eq!(pool.stats().accepted, 1);
}

#[test]
fn cancelled_it_ends_with_what_was_running() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let group = pool.group();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    group
        .submit(move || {
            said.send(()).unwrap();
            wait.wait();
        })
        .unwrap();
    begun.recv().unwrap();
    group.submit(|| unreachable!()).unwrap();
    group.cancel();
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), None);
    let results = results.into_vec();
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(JoinError::Cancelled)));
}

#[test]
fn a_wait_that_ends_early_gives_the_group_back() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let group = pool.group();
    group.submit(gate.waiter()).unwrap();
    let group = group.wait_timeout(Duration::ZERO).unwrap_err();
    group.submit(|| ()).unwrap();
    gate.open();
    let results = group.wait_timeout(Duration::MAX).unwrap();
    assert_eq!(results.into_vec().len(), 2);
}

#[test]
fn a_future_waits_for_it() {
    let pool = pool(8, 1);
    let group = pool.group();
    group.submit(|| 1).unwrap();
    group
        .spawn(async {
            yield_now().await;
            2
        })
        .unwrap();
    assert_eq!(block_on(group.wait_async()).values().unwrap(), [1, 2]);
}

#[test]
fn a_task_that_waits_for_its_group_needs_no_free_worker() {
    let pool = pool(64, 1);
    let own = pool.clone();
    let sum = pool.submit_with_handle(move || {
        let group = own.group();
        for n in 0..10 {
            group.submit(move || n).unwrap();
        }
        group.wait().values().unwrap().iter().sum::<i32>()
    });
    assert_eq!(sum.unwrap().join().unwrap(), 45);
    pool.shutdown().unwrap();
    assert_eq!(pool.stats().completed, 11);
}

#[test]
fn dropped_it_lets_its_tasks_go_on_and_is_freed() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let group = pool.group().stop_at_error();
    pool.submit(gate.waiter()).unwrap();
    for _ in 0..3 {
        let ran = Arc::clone(&ran);
        group
            .submit(move || {
                ran.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(())
            })
            .unwrap();
    }
    drop(group);
    gate.open();
    pool.shutdown().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&ran), 1);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

#[test]
fn a_capture_that_panics_when_it_is_cancelled_keeps_nothing_else_from_being_cancelled() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    let group = pool.group::<Result<(), ()>>().stop_at_error();
    // The first panics, and with it, not during it, the capture of the second.
    group.submit(|| resume_unwind(Box::new("first"))).unwrap();
    let bomb = Bomb;
    group
        .submit(move || {
            std::mem::forget(bomb);
            Ok(())
        })
        .unwrap();
    let behind = Arc::new(AtomicUsize::new(0));
    let ran = Arc::clone(&behind);
    group
        .submit(move || {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    gate.open();
    let results = group.wait();
    assert_eq!(results.failed(), Some(0));
    assert_eq!(behind.load(Ordering::Relaxed), 0);
}

#[test]
fn a_future_that_is_being_polled_when_the_group_stops_is_cancelled_when_it_suspends() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let group = pool.group::<()>();
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    let polled = std::future::poll_fn(move |cx| {
        // Somebody has its waker, and so it could wait for ever.
        said.send(cx.waker().clone()).unwrap();
        wait.wait();
        std::task::Poll::<()>::Pending
    });
    group.spawn(polled).unwrap();
    let _waker = begun.recv().unwrap();
    group.cancel();
    gate.open();
    let results = group.wait().into_vec();
    assert!(matches!(results[0], Err(JoinError::Cancelled)));
}

#[test]
fn one_that_waits_within_a_task_runs_all_that_have_not_begun() {
    let pool = pool(8, 2);
    let own = pool.clone();
    let task = pool.submit_with_handle(move || {
        let (begun, second) = (Gate::new(), Gate::new());
        let group = own.group();
        let (begins, wait) = (begun.clone(), second.clone());
        group
            .submit(move || {
                begins.open();
                wait.wait();
            })
            .unwrap();
        begun.wait();
        // The other worker waits for this one.
        group.submit(move || second.open()).unwrap();
        group.wait().into_vec().len()
    });
    assert_eq!(task.unwrap().join().unwrap(), 2);
}
