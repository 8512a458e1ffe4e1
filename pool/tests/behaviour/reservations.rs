//! Futures that wait for a slot.

use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Balance, MultiPool, Pool, SlotError};

use crate::support::{Gate, block_on, eventually, pool, yield_now};

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
fn future_waits_for_a_slot_without_a_thread() {
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
fn dropped_wait_leaves_the_line() {
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
fn slot_granted_to_a_dropped_wait_goes_to_the_next() {
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
fn close_ends_the_wait_of_a_future() {
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
