//! A group waits for many handles and returns their results.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use anthill::{Group, JoinError};

use crate::support::{Gate, block_on, pool, yield_now};

#[test]
fn results_come_in_the_order_of_submission() {
    let pool = pool(100, 3);
    let mut group = Group::new();
    for n in 0..50 {
        group.push(pool.submit_with_handle(move || 2 * n).unwrap());
        group.push(
            pool.spawn_with_handle(async move {
                yield_now().await;
                2 * n + 1
            })
            .unwrap(),
        );
    }
    assert_eq!(group.len(), 100);
    assert_eq!(group.wait().values().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn empty_group_has_ended() {
    let group = Group::<()>::new();
    assert!(group.is_empty());
    assert_eq!(group.wait().into_vec().len(), 0);
    assert_eq!(block_on(Group::<()>::new()).into_vec().len(), 0);
}

#[test]
fn group_goes_on_after_errors_and_panics_by_default() {
    let pool = pool(8, 1);
    let mut group = Group::new();
    group.push(pool.submit_with_handle(|| Err("first")).unwrap());
    group.push(
        pool.submit_with_handle(|| resume_unwind(Box::new("second")))
            .unwrap(),
    );
    group.push(pool.submit_with_handle(|| Ok(3)).unwrap());
    let results = group.wait().into_vec();
    assert!(matches!(results[0], Ok(Err("first"))));
    assert!(matches!(results[1], Err(JoinError::Panicked(_))));
    assert!(matches!(results[2], Ok(Ok(3))));
}

#[test]
fn group_has_results_of_tasks_of_two_pools() {
    let (first, second) = (pool(4, 1), pool(4, 1));
    let gate = Gate::new();
    let wait = gate.clone();
    let mut group = Group::new();
    // The task of the first pool ends after the task of the second.
    let waits = move || {
        wait.wait();
        1
    };
    group.push(first.submit_with_handle(waits).unwrap());
    let opens = async move {
        gate.open();
        2
    };
    group.push(second.spawn_with_handle(opens).unwrap());
    assert_eq!(group.wait().values().unwrap(), [1, 2]);
}

#[test]
fn task_may_wait_for_a_group_of_two_pools() {
    let (own, other) = (pool(4, 1), pool(4, 1));
    let pools = (own.clone(), other.clone());
    let sum = own.submit_with_handle(move || {
        let mut group = Group::new();
        group.push(pools.0.submit_with_handle(|| 1).unwrap());
        group.push(pools.1.submit_with_handle(|| 2).unwrap());
        group.wait().values().unwrap().iter().sum::<i32>()
    });
    assert_eq!(sum.unwrap().wait().unwrap(), 3);
}

#[test]
fn group_is_collected_from_handles_and_extended() {
    let pool = pool(8, 1);
    let handle = |n| pool.submit_with_handle(move || n).unwrap();
    let mut group = (0..3).map(handle).collect::<Group<i32>>();
    group.extend((3..5).map(handle));
    assert_eq!(group.wait().values().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn wait_that_times_out_returns_the_group() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let mut group = Group::new();
    group.push(pool.submit_with_handle(gate.waiter()).unwrap());
    let mut group = group.wait_timeout(Duration::ZERO).unwrap_err();
    group.push(pool.submit_with_handle(|| ()).unwrap());
    gate.open();
    let results = group.wait_timeout(Duration::MAX).unwrap();
    assert_eq!(results.into_vec().len(), 2);
}

#[test]
fn awaited_group_returns_all_results() {
    let pool = pool(8, 1);
    let mut group = Group::new();
    group.push(pool.submit_with_handle(|| 1).unwrap());
    group.push(
        pool.spawn_with_handle(async {
            yield_now().await;
            2
        })
        .unwrap(),
    );
    assert_eq!(block_on(group).values().unwrap(), [1, 2]);
}

#[test]
fn end_of_the_last_task_wakes_the_future_that_awaits_the_group() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let wait = gate.clone();
    let waits = move || {
        wait.wait();
        2
    };
    let mut group = Group::new();
    group.push(pool.submit_with_handle(|| 1).unwrap());
    group.push(pool.submit_with_handle(waits).unwrap());
    // The waker of the last poll is woken.
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut group).poll(&mut cx).is_pending());
    let awaits = std::thread::spawn(move || block_on(group).values().unwrap());
    gate.open();
    assert_eq!(awaits.join().unwrap(), [1, 2]);
}

#[test]
fn task_that_awaits_its_group_gives_the_worker_to_it() {
    let pool = pool(8, 1);
    let own = pool.clone();
    let sum = pool.spawn_with_handle(async move {
        let mut group = Group::new();
        for n in 0..3 {
            let slot = own.slot().await.unwrap();
            group.push(slot.submit_with_handle(move || n));
        }
        group.await.values().unwrap().iter().sum::<i32>()
    });
    assert_eq!(sum.unwrap().wait().unwrap(), 3);
}

#[test]
fn task_that_waits_for_its_group_needs_no_free_worker() {
    let pool = pool(64, 1);
    let own = pool.clone();
    let sum = pool.submit_with_handle(move || {
        let mut group = Group::new();
        for n in 0..10 {
            group.push(own.submit_with_handle(move || n).unwrap());
        }
        group.wait().values().unwrap().iter().sum::<i32>()
    });
    assert_eq!(sum.unwrap().wait().unwrap(), 45);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 11);
}

#[test]
fn dropped_group_lets_its_tasks_go_on_and_is_freed() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let mut group = Group::new().stop_at_error();
    pool.submit(gate.waiter()).unwrap();
    for _ in 0..3 {
        let ran = Arc::clone(&ran);
        group.push(
            pool.submit_with_handle(move || {
                ran.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(())
            })
            .unwrap(),
        );
    }
    drop(group);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&ran), 1);
}

#[test]
fn task_that_waits_for_its_group_runs_all_that_has_not_begun() {
    let pool = pool(8, 2);
    let own = pool.clone();
    let task = pool.submit_with_handle(move || {
        let (begun, second) = (Gate::new(), Gate::new());
        let mut group = Group::new();
        let (begins, wait) = (begun.clone(), second.clone());
        group.push(
            own.submit_with_handle(move || {
                begins.open();
                wait.wait();
            })
            .unwrap(),
        );
        begun.wait();
        // The worker of the first task waits for the second.
        group.push(own.submit_with_handle(move || second.open()).unwrap());
        group.wait().into_vec().len()
    });
    assert_eq!(task.unwrap().wait().unwrap(), 2);
}
