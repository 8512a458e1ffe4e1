//! Many pools behind one handle: which shard a task goes to, and what is told when none has room.

mod support;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Balance, MultiPool, Pool, Slot, SlotError};
use support::{Gate, block_on, eventually, pool};

/// Shards of these capacities, on one thread each.
fn shards<const N: usize>(capacities: [usize; N], balance: Balance) -> MultiPool {
    MultiPool::new(capacities.map(|capacity| pool(capacity, 1)), balance).unwrap()
}

fn round_robin<const N: usize>(capacities: [usize; N]) -> MultiPool {
    shards(capacities, Balance::RoundRobin)
}

fn hold(multi: &MultiPool, shard: usize, slots: usize) -> Vec<Slot<'_>> {
    let slots = (0..slots).map(|_| multi.shards()[shard].try_slot());
    slots.collect::<Result<_, _>>().unwrap()
}

fn accepted(multi: &MultiPool) -> Vec<u64> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats.map(|stats| stats.accepted).collect()
}

/// What each shard counts of `Full`, `Closed`, `Timeout` and `WouldDeadlock`.
fn rejected(multi: &MultiPool) -> Vec<[u64; 4]> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats
        .map(|stats| {
            [
                stats.rejected_full,
                stats.rejected_closed,
                stats.rejected_timeout,
                stats.rejected_would_deadlock,
            ]
        })
        .collect()
}

fn waiting(multi: &MultiPool) -> Vec<usize> {
    let stats = multi.shards().iter().map(Pool::stats);
    stats.map(|stats| stats.waiting).collect()
}

/// Starts a thread that submits a task, and returns the thread with the submit's result.
fn submitter(multi: &MultiPool) -> thread::JoinHandle<Result<(), SlotError>> {
    let multi = multi.clone();
    thread::spawn(move || multi.submit(|| ()))
}

#[test]
fn round_robin_goes_round_from_the_first_shard() {
    let multi = round_robin([10; 3]);
    multi.submit(|| ()).unwrap();
    assert_eq!(accepted(&multi), [1, 0, 0]);
    for _ in 0..3 {
        multi.spawn(async {}).unwrap();
    }
    assert_eq!(accepted(&multi), [2, 1, 1]);
}

#[test]
fn least_loaded_takes_the_shard_with_the_fewest_tasks_and_the_first_of_several() {
    let multi = shards([9; 3], Balance::LeastLoaded);
    let _held = [hold(&multi, 0, 2), hold(&multi, 1, 1)];
    let gate = Gate::new();
    multi.submit(gate.waiter()).unwrap();
    assert_eq!(accepted(&multi), [0, 0, 1]);
    multi.submit(gate.waiter()).unwrap();
    assert_eq!(accepted(&multi), [0, 1, 1], "both had one");
    gate.open();
}

#[test]
fn least_loaded_counts_those_who_wait() {
    let multi = shards([1; 2], Balance::LeastLoaded);
    let held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let first = submitter(&multi);
    eventually(|| waiting(&multi) == [1, 0]);
    let second = submitter(&multi);
    eventually(|| waiting(&multi) == [1, 1]);
    drop(held);
    first.join().unwrap().unwrap();
    second.join().unwrap().unwrap();
}

#[test]
fn least_loaded_goes_by_closed_and_full_shards() {
    let multi = shards([9, 1, 9, 9], Balance::LeastLoaded);
    let _held = [hold(&multi, 1, 1), hold(&multi, 2, 3), hold(&multi, 3, 2)];
    multi.shards()[0].close();
    multi.submit(|| ()).unwrap();
    assert_eq!(accepted(&multi), [0, 0, 0, 1]);
}

#[test]
fn of_two_choices_the_less_loaded_is_taken() {
    let multi = shards([1000; 3], Balance::PowerOfTwoChoices);
    let _most = hold(&multi, 1, 900);
    for _ in 0..500 {
        multi.submit(|| ()).unwrap();
    }
    let accepted = accepted(&multi);
    assert_eq!(accepted[1], 0, "whichever the other was, it had less");
    assert!(accepted[0] > 0 && accepted[2] > 0, "{accepted:?}");
}

#[test]
fn a_full_shard_is_passed_over_and_counts_no_rejection() {
    let multi = round_robin([1, 1, 2]);
    let _held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    multi.try_submit(|| ()).unwrap();
    multi.spawn(async {}).unwrap();
    assert_eq!(accepted(&multi), [0, 0, 2]);
    assert_eq!(rejected(&multi), [[0; 4]; 3]);
}

#[test]
fn passing_over_goes_round_to_the_shards_before_the_picked() {
    let multi = round_robin([2, 1]);
    let _held = hold(&multi, 1, 1);
    for _ in 0..2 {
        multi.try_submit(|| ()).unwrap();
        eventually(|| multi.shards()[0].in_flight() == 0);
    }
    assert_eq!(accepted(&multi), [2, 0]);
}

#[test]
fn try_on_full_shards_counts_once_and_returns_the_task() {
    let multi = round_robin([1; 2]);
    let _held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    let (ran, seen) = mpsc::channel();
    let task = move || ran.send("handed back").unwrap();
    let refused = multi.try_submit(task).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    refused.into_task()();
    assert_eq!(seen.recv(), Ok("handed back"));
    assert_eq!(rejected(&multi), [[1, 0, 0, 0], [0; 4]]);
    let refused = multi.try_spawn(async {}).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    assert_eq!(rejected(&multi), [[1, 0, 0, 0]; 2]);
}

#[test]
fn when_all_are_full_a_plain_submit_waits_for_a_slot_of_the_picked_shard() {
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
fn no_more_than_max_waiting_stand_in_the_line_of_a_shard() {
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
fn a_wait_with_an_end_is_told_that_the_time_is_over() {
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
fn closed_shards_are_passed_over() {
    let multi = round_robin([5; 3]);
    multi.shards()[0].close();
    multi.shards()[1].close();
    multi.submit(|| ()).unwrap();
    multi.try_spawn(async {}).unwrap();
    block_on(multi.slot())
        .map(|slot| slot.submit(|| ()))
        .unwrap();
    assert_eq!(accepted(&multi), [0, 0, 3]);
    assert_eq!(rejected(&multi), [[0; 4]; 3]);
    assert!(!multi.is_closed());
}

#[test]
fn in_place_of_a_closed_shard_the_next_open_one_is_waited_for() {
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
fn when_all_are_closed_every_task_is_refused() {
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
fn those_who_wait_at_a_shard_that_is_closed_go_on_to_the_others() {
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
fn closing_sends_all_who_wait_away() {
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

#[test]
fn every_accepted_task_runs_once_whatever_the_balance() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastLoaded,
        Balance::PowerOfTwoChoices,
    ] {
        let multi = shards([2, 3, 4], balance);
        let (ran, seen) = mpsc::channel();
        let submitters = [0, 1, 2].map(|who| {
            let (multi, ran) = (multi.clone(), ran.clone());
            thread::spawn(move || {
                for n in 0..1000 {
                    let ran = ran.clone();
                    let task = move || ran.send(who * 1000 + n).unwrap();
                    match n % 3 {
                        0 => multi.submit(task).unwrap(),
                        1 => multi.spawn(async move { task() }).unwrap(),
                        _ => block_on(multi.slot())
                            .map(|slot| slot.submit(task))
                            .unwrap(),
                    }
                }
            })
        });
        for submitter in submitters {
            submitter.join().unwrap();
        }
        multi.shutdown().wait().unwrap();
        drop(ran);
        let mut seen: Vec<i32> = seen.into_iter().collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..3000));
        let stats = multi.stats();
        assert_eq!((stats.accepted, stats.completed), (3000, 3000));
        assert_eq!((stats.in_flight, stats.threads), (0, 0));
    }
}
