//! Waits that would block a thread of a runtime panic, and waits that are awaited do not block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anthill::{Group, Pool};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::support::{Gate, eventually};

#[tokio::test(start_paused = true)]
async fn paused_clock_does_not_wait_for_tasks_of_a_pool() {
    let (pool, gate) = (crate::support::pool(1, 1), crate::support::Gate::new());
    let task = pool.submit_with_handle(gate.waiter()).unwrap();
    // tokio finds nothing to do and advances its clock, although the task runs.
    let late = timeout(Duration::from_secs(100), task).await;
    assert!(late.is_err());
    gate.open();
    pool.shutdown().await.unwrap();
}

/// A pool without a runtime, and a pool whose tasks run in the calling runtime.
fn without_and_with_runtime(capacity: usize) -> [Pool; 2] {
    let builder = Pool::builder().capacity(capacity).threads(0..=1);
    let with_runtime = builder.tokio_handle(Handle::current()).build();
    [crate::support::pool(capacity, 1), with_runtime.unwrap()]
}

fn assert_panics<T>(wait: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(wait)).is_err());
}

/// Calls everything that blocks while no slot is free.
async fn assert_waits_for_slot_panic(pool: Pool) {
    // With a free slot the same calls do not block.
    let task = pool.submit_with_handle(|| 1).unwrap();
    assert_eq!(task.await.unwrap(), 1);
    let held = pool.slot().wait().unwrap();
    assert_panics(|| pool.submit(|| ()));
    assert_panics(|| pool.submit_with_handle(|| ()));
    assert_panics(|| pool.spawn(async {}));
    assert_panics(|| pool.spawn_with_handle(async {}));
    assert_panics(|| pool.slot().wait());
    assert_panics(|| pool.slot().wait_timeout(Duration::MAX));
    assert_panics(|| pool.run(|| ()).wait());
    assert_panics(|| pool.strand().submit(|| ()));
    drop(held);
}

#[tokio::test]
async fn blocking_wait_for_slot_panics_on_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_waits_for_slot_panic(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        let task = tokio::spawn(assert_waits_for_slot_panic(pool));
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_wait_for_slot_panics_on_multi_thread() {
    for pool in without_and_with_runtime(1) {
        assert_waits_for_slot_panic(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        let task = tokio::spawn(assert_waits_for_slot_panic(pool));
        task.await.unwrap();
    }
}

/// Calls everything that blocks while a task runs.
async fn assert_waits_for_end_panic(pool: Pool) {
    let gate = Gate::new();
    let task = || pool.submit_with_handle(gate.waiter()).unwrap();
    let (first, second, third) = (task(), task(), task());
    assert_panics(|| first.wait());
    assert_panics(|| second.wait_timeout(Duration::MAX));
    let group = Group::from_iter([third]);
    assert_panics(|| group.wait());
    assert_panics(|| pool.shutdown().wait());
    gate.open();
    pool.shutdown().await.unwrap();
    assert_eq!(pool.stats().completed, 3);
}

#[tokio::test]
async fn blocking_wait_for_end_panics_on_current_thread() {
    for pool in without_and_with_runtime(3) {
        assert_waits_for_end_panic(pool).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_wait_for_end_panics_on_multi_thread() {
    for pool in without_and_with_runtime(3) {
        assert_waits_for_end_panic(pool).await;
    }
}

#[tokio::test]
async fn thread_for_blocking_work_may_wait_for_slot() {
    for pool in without_and_with_runtime(1) {
        let held = pool.try_slot().unwrap();
        let own = pool.clone();
        let waits = tokio::task::spawn_blocking(move || own.submit(|| ()));
        eventually(|| pool.stats().waiting == 1);
        drop(held);
        waits.await.unwrap().unwrap();
        pool.shutdown().await.unwrap();
    }
}

/// Both waits depend on the calling thread: it releases the slot, then sends the answer.
async fn assert_run_does_not_block(pool: Pool) {
    let held = pool.try_slot().unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    let beside = async {
        assert_eq!(pool.stats().waiting, 1);
        drop(held);
        while pool.stats().running == 0 {
            tokio::task::yield_now().await;
        }
        sender.send(42).unwrap();
    };
    let run = pool.run(move || answers.recv().unwrap());
    let (answer, ()) = tokio::join!(run, beside);
    assert_eq!(answer.unwrap(), 42);
    pool.shutdown().await.unwrap();
}

#[tokio::test]
async fn awaited_run_does_not_block_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_run_does_not_block(pool).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn awaited_run_does_not_block_multi_thread() {
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_run_does_not_block(pool)).await.unwrap();
    }
}

/// The task that the guard would wait for ends after the drop.
async fn assert_guard_does_not_block(pool: Pool) {
    let gate = Gate::new();
    let task = pool.submit_with_handle(gate.waiter()).unwrap();
    drop(pool.shutdown_on_drop());
    assert!(pool.is_closed());
    assert!(!task.is_finished());
    gate.open();
    pool.shutdown().await.unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn dropped_guard_does_not_block_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_guard_does_not_block(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_guard_does_not_block(pool))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dropped_guard_does_not_block_task_on_multi_thread() {
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_guard_does_not_block(pool))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn refused_blocking_wait_leaves_the_line() {
    for pool in without_and_with_runtime(1) {
        let held = pool.try_slot().unwrap();
        assert_panics(|| pool.submit(|| ()));
        drop(held);
        // Otherwise the free slot goes to a waiter that is gone.
        assert_eq!((pool.stats().waiting, pool.in_flight()), (0, 0));
        pool.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn scope_in_async_code_never_leaves_a_task_behind() {
    let (pool, gate) = (crate::support::pool(1, 1), Gate::new());
    let ended = AtomicBool::new(false);
    let (leave, leaves) = std::sync::mpsc::channel::<()>();
    let opener = gate.clone();
    let opens = thread::spawn(move || {
        _ = leaves.recv();
        opener.open();
    });
    let task = || {
        gate.wait();
        // Time for a scope that does not wait.
        (0..1_000).for_each(|_| thread::yield_now());
        ended.store(true, Ordering::SeqCst);
    };
    let submitted = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            let submitted = scope.submit(task);
            drop(leave);
            submitted.is_ok()
        })
    }));
    let ended_in_time = ended.load(Ordering::SeqCst);
    opens.join().unwrap();
    // The task borrows from this test.
    pool.shutdown().await.unwrap();
    // Either it panics before there is a task, or it waits for the task.
    let has_run = ended.load(Ordering::SeqCst);
    assert!(ended_in_time || !has_run, "{submitted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dropped_guard_waits_in_multi_thread_main() {
    for pool in without_and_with_runtime(8) {
        let guard = pool.shutdown_on_drop();
        for _ in 0..7 {
            pool.submit(thread::yield_now).unwrap();
        }
        pool.spawn(crate::support::yield_now()).unwrap();
        drop(guard);
        assert_eq!(pool.stats().completed, 8);
    }
}
