//! Futures: the same slots and threads as closures, and a slot kept while suspended.

mod support;

use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Balance, JoinError, MultiPool, Pool, Run, RunError, SlotError};
use support::{Gate, PATIENCE, block_on, eventually, occupy, pool, yield_now};

/// Returns a pool of so many shards, each with one slot on one thread.
fn multi_pool(shards: usize) -> MultiPool {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    builder.build_multi(shards, Balance::RoundRobin).unwrap()
}

/// Polls a future with a waker that does nothing.
fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that is suspended until it is told to go on, and the means to tell it.
fn suspended() -> (
    impl Future<Output = ()> + Send + 'static,
    impl Fn() + Send + 'static,
) {
    let shared = Arc::new((AtomicBool::new(false), Mutex::new(None::<Waker>)));
    let wake = {
        let shared = Arc::clone(&shared);
        move || {
            shared.0.store(true, Ordering::Release);
            if let Some(waker) = shared.1.lock().unwrap().take() {
                waker.wake();
            }
        }
    };
    let future = poll_fn(move |cx| {
        *shared.1.lock().unwrap() = Some(cx.waker().clone());
        if shared.0.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    (future, wake)
}

#[test]
fn futures_run_to_their_end() {
    let pool = pool(100, 3);
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..1000 {
        let ended = Arc::clone(&ended);
        pool.spawn(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            ended.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1000);
    assert_eq!(pool.stats().completed, 1000);
}

#[test]
fn a_suspended_future_keeps_its_slot_and_no_thread() {
    let pool = pool(2, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    let (ran, seen) = mpsc::channel();
    // The only thread is free for it.
    pool.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    eventually(|| pool.stats().idle_threads == 1);
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.running, stats.queued), (1, 0, 0));
    wake();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn a_future_woken_by_another_thread_after_the_close_still_ends() {
    let pool = pool(1, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    pool.close();
    let waker = thread::spawn(wake);
    pool.shutdown().wait().unwrap();
    waker.join().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn a_stream_of_submits_from_outside_does_not_starve_a_woken_future() {
    let pool = pool(64, 1);
    let (ended, seen) = mpsc::channel();
    pool.spawn(async move {
        for _ in 0..100 {
            yield_now().await;
        }
        ended.send(()).unwrap();
    })
    .unwrap();
    while seen.try_recv().is_err() {
        pool.submit(|| ()).unwrap();
    }
}

#[test]
fn futures_that_wake_each_other_for_ever_do_not_starve_a_submit_from_outside() {
    let pool = pool(64, 1);
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..4 {
        let stop = Arc::clone(&stop);
        pool.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                yield_now().await;
            }
        })
        .unwrap();
    }
    let (ran, seen) = mpsc::channel();
    pool.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    stop.store(true, Ordering::Relaxed);
    pool.shutdown().wait().unwrap();
}

#[test]
fn waiting_for_a_slot_without_a_thread() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || block_on(pool.slot()).map(|slot| slot.submit(|| ())))
    };
    eventually(|| pool.stats().waiting == 1);
    gate.open();
    submitter.join().unwrap().unwrap();
    block_on(pool.slot()).unwrap().spawn(async {});
    drop(block_on(pool.slot()).unwrap());
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 3);
}

#[test]
fn dropping_a_wait_gives_up_the_place_in_line() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    {
        let mut wait = pin!(pool.slot());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert_eq!(pool.stats().waiting, 1);
    }
    assert_eq!(pool.stats().waiting, 0);
    drop(held);
    pool.try_submit(|| ()).unwrap();
}

#[test]
fn a_slot_granted_to_a_wait_that_is_dropped_goes_to_the_next() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut second = pin!(pool.slot());
    {
        let mut first = pin!(pool.slot());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(held);
        assert!(
            second.as_mut().poll(&mut cx).is_pending(),
            "the first in line comes first"
        );
    }
    assert!(second.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn closing_ends_the_wait_of_a_future() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut wait = pin!(pool.slot());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    pool.close();
    let polled = wait.as_mut().poll(&mut cx);
    assert!(matches!(polled, Poll::Ready(Err(SlotError::Closed))));
    drop(held);
}

#[test]
fn a_future_whose_wakers_are_gone_gives_its_slot_back() {
    let pool = pool(1, 1);
    let dropped = Arc::new(());
    let owned = Arc::clone(&dropped);
    pool.spawn(async move {
        // Nobody keeps the waker, so nobody can ever go on with it.
        pending::<()>().await;
        drop(owned);
    })
    .unwrap();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(Arc::strong_count(&dropped), 1);
    assert_eq!(pool.stats().cancelled, 1);
    pool.shutdown().wait().unwrap();
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

#[test]
fn strand_reserves_slots_asynchronously() {
    let pool = pool(2, 1);
    let strand = pool.strand();
    let held = [pool.try_slot().unwrap(), pool.try_slot().unwrap()];
    let (mut first, mut second) = (strand.slot(), strand.slot());
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    assert_eq!(pool.stats().waiting, 2);
    drop(held);
    let (first, second) = (block_on(first).unwrap(), block_on(second).unwrap());
    assert_eq!((pool.in_flight(), strand.queued()), (2, 0));
    // The strand orders the submits, and not the reservations.
    let (said, heard) = mpsc::channel();
    let also_said = said.clone();
    second.spawn(async move {
        yield_now().await;
        also_said.send(2).unwrap();
    });
    first.submit(move || said.send(1).unwrap());
    assert_eq!(heard.iter().collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn multi_pool_reserves_slots_asynchronously() {
    let shards = multi_pool(2);
    let held = [(); 2].map(|()| shards.try_slot().unwrap());
    let mut wait = shards.slot();
    assert!(poll_once(&mut wait).is_pending());
    assert_eq!(shards.stats().waiting, 1);
    drop(held);
    let slot = block_on(wait).unwrap();
    assert_eq!(shards.stats().in_flight, 1);
    assert_eq!(slot.submit_with_handle(|| 7).wait().unwrap(), 7);
    shards.close();
    assert!(matches!(block_on(shards.slot()), Err(SlotError::Closed)));
}

#[test]
fn reservation_in_line_moves_on_when_its_shard_closes() {
    let shards = multi_pool(2);
    let mut held = [(); 2].map(|()| Some(shards.try_slot().unwrap()));
    let mut wait = shards.slot();
    assert!(poll_once(&mut wait).is_pending());
    let is_waited_for = |shard: &Pool| shard.stats().waiting == 1;
    let first = shards.shards().iter().position(is_waited_for).unwrap();
    shards.shards()[first].close();
    assert!(poll_once(&mut wait).is_pending());
    let other = &shards.shards()[1 - first];
    assert!(is_waited_for(other));
    held.fill_with(|| None);
    drop(block_on(wait).unwrap());
    assert_eq!(other.in_flight(), 0);
}

#[test]
fn thread_may_wait_for_a_slot_after_a_poll() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut reserve = pool.slot();
    let polled = Pin::new(&mut reserve).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(held);
    assert!(reserve.wait_timeout(Duration::ZERO).is_ok());
    assert_eq!(pool.in_flight(), 0);
}
