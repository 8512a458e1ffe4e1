//! Which shard gets a task.

use std::sync::mpsc;
use std::thread;

use anthill::{Balance, SlotError};

use super::{accepted, hold, rejected, round_robin, shards, submitter, waiting};
use crate::support::{Gate, block_on, eventually};

#[test]
fn round_robin_starts_at_the_first_shard() {
    let multi = round_robin([10; 3]);
    multi.submit(|| ()).unwrap();
    assert_eq!(accepted(&multi), [1, 0, 0]);
    for _ in 0..3 {
        multi.spawn(async {}).unwrap();
    }
    assert_eq!(accepted(&multi), [2, 1, 1]);
}

#[test]
fn least_loaded_picks_the_first_shard_with_fewest_tasks() {
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
fn least_loaded_counts_waiting_submitters() {
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
fn least_loaded_skips_closed_and_full_shards() {
    let multi = shards([9, 1, 9, 9], Balance::LeastLoaded);
    let _held = [hold(&multi, 1, 1), hold(&multi, 2, 3), hold(&multi, 3, 2)];
    multi.shards()[0].close();
    multi.submit(|| ()).unwrap();
    assert_eq!(accepted(&multi), [0, 0, 0, 1]);
}

#[test]
fn two_choices_pick_the_less_loaded_shard() {
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
fn full_shard_is_skipped_and_counts_no_rejection() {
    let multi = round_robin([1, 1, 2]);
    let _held = [hold(&multi, 0, 1), hold(&multi, 1, 1)];
    multi.try_submit(|| ()).unwrap();
    multi.spawn(async {}).unwrap();
    assert_eq!(accepted(&multi), [0, 0, 2]);
    assert_eq!(rejected(&multi), [[0; 4]; 3]);
}

#[test]
fn skipping_wraps_around_to_the_first_shards() {
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
fn closed_shards_are_skipped() {
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
