//! What a submitter gets when no shard has a free slot.

use std::thread;
use std::time::{Duration, Instant};

use anthill::{Balance, MultiPool, Pool, SlotError};

use super::{accepted, hold, rejected, round_robin, submitter, waiting};
use crate::support::{block_on, eventually};

#[test]
fn submit_waits_at_the_picked_shard_when_all_are_full() {
    let multi = round_robin([1; 2]);
    let mut held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let first = submitter(&multi);
    eventually(|| waiting(&multi) == [1, 0]);
    let second = submitter(&multi);
    eventually(|| waiting(&multi) == [1, 1]);
    held[1].clear();
    second.join().unwrap().unwrap();
    assert_eq!(accepted(&multi), [0, 1]);
    held[0].clear();
    first.join().unwrap().unwrap();
    assert_eq!(accepted(&multi), [1, 1]);
    assert_eq!(rejected(&multi), [[0; 4]; 2]);
}

#[test]
fn nonblocking_shards_refuse_a_plain_submit() {
    let builder = Pool::builder().capacity(1).nonblocking(true);
    let multi = builder.build_multi(2, Balance::RoundRobin).unwrap();
    let _held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    assert!(matches!(multi.submit(|| ()), Err(SlotError::Full)));
    assert_eq!(rejected(&multi), [[1, 0, 0, 0], [0; 4]]);
}

#[test]
fn max_waiting_bounds_the_line_of_a_shard() {
    let builder = Pool::builder().capacity(1).max_waiting(1);
    let multi = builder.build_multi(1, Balance::RoundRobin).unwrap();
    let held = hold(&multi, 0, 1);
    let first = submitter(&multi);
    eventually(|| waiting(&multi) == [1]);
    assert!(matches!(multi.submit(|| ()), Err(SlotError::Full)));
    assert!(matches!(
        block_on(multi.slot()).map(|slot| slot.submit(|| ())),
        Err(SlotError::Full)
    ));
    assert_eq!(rejected(&multi), [[2, 0, 0, 0]]);
    drop(held);
    first.join().unwrap().unwrap();
}

#[test]
fn timed_wait_on_full_shards_times_out() {
    let multi = round_robin([1; 4]);
    let held: Vec<_> = (0..4).map(|shard| hold(&multi, shard, 1)).collect();
    let short = Duration::from_millis(1);
    let late = [
        multi
            .slot()
            .wait_timeout(short)
            .map(|slot| slot.submit(|| ()))
            .unwrap_err(),
        multi
            .slot()
            .wait_deadline(Instant::now())
            .map(|slot| slot.submit(|| ()))
            .unwrap_err(),
        multi
            .slot()
            .wait_timeout(short)
            .map(|slot| slot.spawn(async {}))
            .unwrap_err(),
        multi
            .slot()
            .wait_deadline(Instant::now())
            .map(|slot| slot.spawn(async {}))
            .unwrap_err(),
    ];
    assert_eq!(late, [SlotError::Timeout; 4]);
    assert_eq!(rejected(&multi), [[0, 0, 1, 0]; 4]);
    assert_eq!(waiting(&multi), [0; 4]);
    drop(held);
    multi
        .slot()
        .wait_timeout(Duration::MAX)
        .map(|slot| slot.submit(|| ()))
        .unwrap();
    multi
        .slot()
        .wait_timeout(Duration::MAX)
        .map(|slot| slot.spawn(async {}))
        .unwrap();
    assert_eq!(accepted(&multi), [1, 1, 0, 0]);
}

#[test]
fn submit_waits_at_the_next_open_shard() {
    let multi = round_robin([1; 3]);
    let held = [hold(&multi, 1, 1), hold(&multi, 2, 1)];
    multi.shards()[0].close();
    let refused = multi.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    for _ in 0..2 {
        assert!(multi.try_submit(|| ()).is_err());
    }
    assert_eq!(rejected(&multi), [[0; 4], [2, 0, 0, 0], [1, 0, 0, 0]]);
    let first = submitter(&multi);
    eventually(|| waiting(&multi) == [0, 1, 0]);
    drop(held);
    first.join().unwrap().unwrap();
    assert_eq!(accepted(&multi), [0, 1, 0]);
}

#[test]
fn closed_shards_refuse_every_task() {
    let multi = round_robin([1; 2]);
    multi.close();
    assert!(multi.is_closed());
    let short = Duration::from_millis(1);
    let refused = [
        multi.submit(|| ()).unwrap_err(),
        multi.try_submit(|| ()).unwrap_err().reason(),
        multi
            .slot()
            .wait_timeout(short)
            .map(|slot| slot.submit(|| ()))
            .unwrap_err(),
        block_on(multi.slot())
            .map(|slot| slot.submit(|| ()))
            .unwrap_err(),
        multi.spawn(async {}).unwrap_err(),
        block_on(multi.slot())
            .map(|slot| slot.spawn(async {}))
            .unwrap_err(),
        multi.submit_with_handle(|| 1).unwrap_err(),
        multi.spawn_with_handle(async { 1 }).unwrap_err(),
    ];
    assert_eq!(refused, [SlotError::Closed; 8]);
    assert_eq!(rejected(&multi), [[0, 4, 0, 0]; 2]);
}

#[test]
fn waiters_of_a_closed_shard_move_to_another() {
    let multi = round_robin([1; 2]);
    let mut held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let by_thread = [[1, 0], [1, 1]].map(|line| {
        let submitter = submitter(&multi);
        eventually(|| waiting(&multi) == line);
        submitter
    });
    let by_future = {
        let multi = multi.clone();
        thread::spawn(move || {
            block_on(multi.slot())
                .map(|slot| slot.spawn(async {}))
                .is_ok()
        })
    };
    eventually(|| waiting(&multi) == [2, 1]);
    multi.shards()[0].close();
    eventually(|| waiting(&multi) == [0, 3]);
    held[1].clear();
    assert!(by_thread.map(|thread| thread.join().unwrap()) == [Ok(()); 2]);
    assert!(by_future.join().unwrap());
    assert_eq!(accepted(&multi), [0, 3]);
    assert_eq!(rejected(&multi), [[0; 4]; 2]);
}

/// Closes two full shards, of which a thread waits at the first and a future at the second.
fn close_with_two_waiting() -> MultiPool {
    let multi = round_robin([1; 2]);
    let held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let by_thread = submitter(&multi);
    eventually(|| waiting(&multi) == [1, 0]);
    let by_future = {
        let multi = multi.clone();
        thread::spawn(move || block_on(multi.slot()).map(|slot| slot.submit(|| ())))
    };
    eventually(|| waiting(&multi) == [1, 1]);
    multi.close();
    assert_eq!(by_thread.join().unwrap(), Err(SlotError::Closed));
    assert_eq!(by_future.join().unwrap(), Err(SlotError::Closed));
    drop(held);
    multi
}

#[test]
fn close_refuses_all_waiters() {
    let stats = close_with_two_waiting().stats();
    assert_eq!((stats.rejected_closed, stats.waiting), (2, 0));
}

#[test]
fn closed_wait_counts_at_the_shard_that_was_picked() {
    let multi = close_with_two_waiting();
    assert_eq!(rejected(&multi), [[0, 1, 0, 0]; 2]);
}

#[test]
fn future_waits_at_picked_shard_and_leaves_when_dropped() {
    let multi = round_robin([1; 2]);
    let mut held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let waits = {
        let multi = multi.clone();
        thread::spawn(move || {
            block_on(multi.slot())
                .map(|slot| slot.submit(|| ()))
                .is_ok()
        })
    };
    eventually(|| waiting(&multi) == [1, 0]);
    let mut given_up = Box::pin(multi.slot());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(given_up.as_mut().poll(&mut cx).is_pending());
    assert_eq!(waiting(&multi), [1, 1]);
    drop(given_up);
    assert_eq!(waiting(&multi), [1, 0]);
    held[0].clear();
    assert!(waits.join().unwrap());
    assert_eq!(accepted(&multi), [1, 0]);
}
