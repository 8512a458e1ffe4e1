//! `run` waits for a slot, runs a closure and returns its result.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Balance, JoinError, MultiPool, Pool, Run, RunError, SlotError};

use crate::support::{Gate, PATIENCE, block_on, eventually, occupy, pool};

/// Returns a pool of so many shards, each with one slot on one thread.
fn multi_pool(shards: usize) -> MultiPool {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    builder.build_multi(shards, Balance::RoundRobin).unwrap()
}

/// Polls a future with a waker that does nothing.
fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn run_returns_the_result_of_its_closure() {
    let pool = pool(1, 1);
    assert_eq!(block_on(pool.run(|| 1)).unwrap(), 1);
    assert_eq!(pool.run(|| 2).wait().unwrap(), 2);
    assert_eq!(pool.run(|| 3).wait_timeout(Duration::MAX).unwrap(), 3);
    let deadline = Instant::now() + PATIENCE;
    assert_eq!(pool.run(|| 4).wait_deadline(deadline).unwrap(), 4);
    let strand = pool.strand();
    assert_eq!(block_on(strand.run(|| 5)).unwrap(), 5);
    assert_eq!(strand.run(|| 6).wait().unwrap(), 6);
    let shards = multi_pool(2);
    assert_eq!(block_on(shards.run(|| 7)).unwrap(), 7);
    assert_eq!(shards.run(|| 8).wait().unwrap(), 8);
    assert_eq!((pool.stats().accepted, shards.stats().accepted), (6, 2));
}

#[test]
fn run_returns_the_panic_of_its_closure() {
    let pool = pool(1, 1);
    let panics = || resume_unwind(Box::new("out of paper"));
    for result in [block_on(pool.run(panics)), pool.run(panics).wait()] {
        let Err::<(), _>(RunError::Task(JoinError::Panicked(panic))) = result else {
            panic!("the closure panicked");
        };
        assert_eq!(panic.message(), Some("out of paper"));
    }
}

#[test]
fn run_waits_for_a_slot_of_a_full_pool() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut run = pool.run(|| 7);
    assert!(poll_once(&mut run).is_pending());
    assert_eq!(pool.stats().waiting, 1);
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.run(|| 8).wait().unwrap());
        eventually(|| pool.stats().waiting == 2);
        drop(held);
        assert_eq!(block_on(run).unwrap(), 7);
        assert_eq!(waits.join().unwrap(), 8);
    });
}

#[test]
fn run_times_out_in_a_full_pool() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let captured = Arc::new(());
    let closure = || {
        let captured = Arc::clone(&captured);
        move || drop(captured)
    };
    let late = [
        pool.run(closure()).wait_timeout(Duration::ZERO),
        pool.run(closure()).wait_deadline(Instant::now()),
        pool.strand().run(closure()).wait_timeout(Duration::ZERO),
    ];
    assert!(late.iter().all(|run| matches!(run, Err(RunError::Timeout))));
    assert_eq!(Arc::strong_count(&captured), 1);
    let stats = pool.stats();
    assert_eq!((stats.waiting, stats.rejected_timeout), (0, 3));
    drop(held);
    // A free slot is used even if the deadline has passed, and the closure is cancelled unless it
    // has begun.
    let _ = pool.run(closure()).wait_timeout(Duration::ZERO);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().accepted, 1);
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn run_that_times_out_in_the_queue_never_begins() {
    let (pool, gate) = (pool(2, 1), Gate::new());
    occupy(&pool, &gate);
    let late = pool.run(|| unreachable!()).wait_timeout(Duration::ZERO);
    assert!(matches!(late, Err::<(), _>(RunError::Timeout)));
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (1, 1));
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn longest_timeout_waits_in_a_nonblocking_pool() {
    let pool = Pool::builder().capacity(1).nonblocking(true).build();
    let pool = pool.unwrap();
    let held = pool.try_slot().unwrap();
    let sum = thread::scope(|scope| {
        let waits = scope.spawn(|| pool.run(|| 6 * 7).wait_timeout(Duration::MAX));
        eventually(|| pool.stats().waiting == 1);
        drop(held);
        waits.join().unwrap()
    });
    assert_eq!(sum.unwrap(), 42);
}

#[test]
fn panicking_drop_of_a_dropped_run_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in a drop"));
        }
    }

    let (report, reports) = mpsc::channel();
    let pool = Pool::builder()
        .capacity(2)
        .threads(1..=1)
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    let gate = Gate::new();
    occupy(&pool, &gate);
    let bomb = Bomb;
    let mut queued = pool.run(move || drop(bomb));
    assert!(poll_once(&mut queued).is_pending());
    drop(queued);
    assert_eq!(reports.recv().unwrap().message(), Some("in a drop"));
    let bomb = Bomb;
    let late = pool.run(move || drop(bomb)).wait_timeout(Duration::ZERO);
    assert!(matches!(late, Err(RunError::Timeout)));
    assert_eq!(reports.recv().unwrap().message(), Some("in a drop"));
    assert_eq!(pool.in_flight(), 1);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn dropped_run_never_begins_its_closure() {
    let (pool, gate) = (pool(2, 1), Gate::new());
    occupy(&pool, &gate);
    let captured = Arc::new(());
    let run = || {
        let captured = Arc::clone(&captured);
        pool.run(move || unreachable!("{captured:?}"))
    };
    // Not polled.
    drop::<Run<'_, _, ()>>(run());
    assert_eq!((Arc::strong_count(&captured), pool.in_flight()), (1, 1));
    // In line for a slot.
    let held = pool.try_slot().unwrap();
    let mut in_line = run();
    assert!(poll_once::<Result<(), _>>(&mut in_line).is_pending());
    assert_eq!(pool.stats().waiting, 1);
    drop(in_line);
    assert_eq!((Arc::strong_count(&captured), pool.stats().waiting), (1, 0));
    // With a slot that it was granted.
    let mut granted = run();
    assert!(poll_once::<Result<(), _>>(&mut granted).is_pending());
    drop(held);
    assert_eq!(pool.in_flight(), 2);
    drop(granted);
    assert_eq!((Arc::strong_count(&captured), pool.in_flight()), (1, 1));
    // In the queue, behind the busy worker.
    let mut queued = run();
    assert!(poll_once::<Result<(), _>>(&mut queued).is_pending());
    assert_eq!(pool.stats().accepted, 2);
    drop(queued);
    assert_eq!((Arc::strong_count(&captured), pool.in_flight()), (1, 1));
    gate.open();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled), (1, 1));
}

#[test]
fn dropped_run_lets_a_closure_that_has_begun_go_on() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    let mut run = pool.run(move || {
        said.send(()).unwrap();
        wait.wait();
    });
    assert!(poll_once(&mut run).is_pending());
    begun.recv().unwrap();
    drop(run);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn refused_run_returns_why_it_got_no_slot() {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool = builder.nonblocking(true).max_waiting(0).build().unwrap();
    let refused = |why| {
        for result in [block_on(pool.run(|| ())), pool.run(|| ()).wait()] {
            let Err(RunError::Slot(reason)) = result else {
                panic!("no slot is free");
            };
            assert_eq!(reason, why);
        }
    };
    let held = pool.try_slot().unwrap();
    refused(SlotError::Full);
    drop(held);
    pool.close();
    refused(SlotError::Closed);
}

#[test]
fn task_may_run_closures_on_its_own_pool() {
    let pool = pool(2, 1);
    let own = pool.clone();
    let waits = pool.submit_with_handle(move || own.run(|| 1).wait().unwrap());
    assert_eq!(waits.unwrap().wait().unwrap(), 1);
    let own = pool.clone();
    let awaits = pool.spawn_with_handle(async move { own.run(|| 2).await.unwrap() });
    assert_eq!(awaits.unwrap().wait().unwrap(), 2);
    // With the last slot taken, a worker that blocks would wait for its own task.
    pool.set_capacity(1);
    let own = pool.clone();
    let refused = pool.submit_with_handle(move || own.run(|| ()).wait());
    assert!(matches!(
        refused.unwrap().wait().unwrap(),
        Err(RunError::Slot(SlotError::WouldDeadlock))
    ));
}
