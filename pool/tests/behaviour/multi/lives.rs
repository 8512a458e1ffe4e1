//! Many pools behind one handle: how they are built, what their workers may do, what they count, how they end.

use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use anthill::{Balance, BuildError, MultiPool, Pool, ReopenError, ShutdownError, SlotError};

use crate::support::{Gate, eventually, pool};

fn two() -> MultiPool {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    builder.build_multi(2, Balance::RoundRobin).unwrap()
}

/// What `f` returns on a worker of each of two shards, when both are full with this very call.
fn within_both<T: Send + 'static>(
    multi: &MultiPool,
    f: impl Fn(&MultiPool) -> T + Send + Sync + 'static,
) -> [T; 2] {
    let shared = Arc::new((f, Barrier::new(2)));
    let handles = [0, 1].map(|shard| {
        let (own, shared) = (multi.clone(), Arc::clone(&shared));
        let task = move || {
            shared.1.wait();
            let told = (shared.0)(&own);
            shared.1.wait();
            told
        };
        multi.shards()[shard].submit_with_handle(task).unwrap()
    });
    handles.map(|handle| handle.wait().unwrap())
}

#[test]
fn worker_of_any_shard_never_waits() {
    let multi = two();
    let told = within_both(&multi, |multi| {
        let minute = Duration::from_secs(60);
        [
            multi.submit(|| ()).unwrap_err(),
            multi.submit_with_handle(|| ()).unwrap_err(),
            multi.spawn(async {}).unwrap_err(),
            multi.slot().wait_timeout(minute).unwrap_err(),
        ]
    });
    assert_eq!(told, [[SlotError::WouldDeadlock; 4]; 2]);
    assert_eq!(multi.stats().rejected_would_deadlock, 8);
    let counted = multi.shards().iter().map(Pool::stats);
    assert!(
        counted
            .into_iter()
            .all(|stats| stats.rejected_would_deadlock == 4)
    );
}

#[test]
fn worker_that_does_not_wait_gets_full_or_a_free_slot() {
    let multi = two();
    let told = within_both(&multi, |multi| {
        multi.try_submit(|| ()).unwrap_err().reason()
    });
    assert_eq!(told, [SlotError::Full; 2]);
    let own = multi.clone();
    let first = multi.submit_with_handle(move || own.submit(|| ()).is_ok());
    assert!(first.unwrap().wait().unwrap());
}

#[test]
fn worker_of_closed_shard_never_waits_for_another() {
    let multi = two();
    let _other = multi.shards()[1].try_slot().unwrap();
    let own = multi.clone();
    let task = move || {
        own.shards()[0].close();
        own.submit(|| ())
    };
    let told = multi.submit_with_handle(task).unwrap().wait().unwrap();
    assert_eq!(told, Err(SlotError::WouldDeadlock));
    assert_eq!(multi.stats().accepted, 1);
}

#[test]
fn shards_have_names_and_share_the_panic_handler() {
    let (said, heard) = mpsc::channel();
    let builder = Pool::builder().name("mound").threads(0..=1);
    let builder = builder.panic_handler(move |panic| said.send(panic.pool().to_owned()).unwrap());
    let multi = builder.build_multi(3, Balance::RoundRobin).unwrap();
    let on_thread = multi
        .submit_with_handle(|| thread::current().name().map(str::to_owned))
        .unwrap();
    assert_eq!(on_thread.wait().unwrap().as_deref(), Some("mound-0"));
    for _ in 0..2 {
        multi
            .submit(|| std::panic::resume_unwind(Box::new(())))
            .unwrap();
    }
    multi.shutdown().wait().unwrap();
    let mut heard: Vec<_> = heard.try_iter().collect();
    heard.sort_unstable();
    assert_eq!(heard, ["mound-1", "mound-2"]);
}

#[test]
fn handles_return_results_from_any_shard() {
    let multi = two();
    let from_closure = multi.submit_with_handle(|| 40).unwrap();
    let from_future = multi.spawn_with_handle(async { 2 }).unwrap();
    assert_eq!(
        from_closure.wait().unwrap() + from_future.wait().unwrap(),
        42
    );
    let each = multi.shards().iter().map(Pool::stats);
    assert!(each.into_iter().all(|stats| stats.accepted == 1));
}

#[test]
fn pool_without_shards_is_refused() {
    let none = Pool::builder().build_multi(0, Balance::default());
    assert!(matches!(none, Err(BuildError::ZeroShards)));
    let none = MultiPool::new([], Balance::default()).unwrap_err();
    assert_eq!(
        none.to_string(),
        "a pool of 0 shards accepts no task; use 1 or more"
    );
}

#[test]
fn failed_build_of_a_shard_leaves_nothing_behind() {
    let held = Arc::new(());
    let witness = Arc::downgrade(&held);
    let builder = Pool::builder().threads(1..=1).stack_size(1 << 60);
    let builder = builder.panic_handler(move |_| _ = &held);
    let refused = builder.build_multi(2, Balance::default());
    assert!(matches!(refused, Err(BuildError::Thread(_))));
    assert!(witness.upgrade().is_none());
}

#[test]
fn submitter_runs_the_task_of_a_shard_without_threads() {
    let builder = Pool::builder().threads(0..=1).stack_size(1 << 60);
    let multi = builder.build_multi(2, Balance::RoundRobin).unwrap();
    for _ in 0..2 {
        let ran_on = multi.submit_with_handle(|| thread::current().id()).unwrap();
        assert_eq!(ran_on.wait().unwrap(), thread::current().id());
    }
    let stats = multi.stats();
    assert_eq!((stats.completed, stats.threads), (2, 0));
    assert!(stats.thread_start_failures >= 2);
}

#[test]
fn stats_are_the_sums_over_the_shards() {
    let multi = MultiPool::new([pool(2, 1), pool(3, 1)], Balance::RoundRobin).unwrap();
    let gate = Gate::new();
    let (begun, seen) = mpsc::channel();
    for _ in 0..4 {
        let (begun, wait) = (begun.clone(), gate.waiter());
        multi
            .submit(move || {
                begun.send(()).unwrap();
                wait();
            })
            .unwrap();
    }
    seen.recv().unwrap();
    seen.recv().unwrap();
    let stats = multi.stats();
    assert_eq!((stats.capacity, stats.in_flight, stats.free), (5, 4, 1));
    assert_eq!((stats.running, stats.queued), (2, 2));
    assert_eq!((stats.threads, stats.idle_threads), (2, 0));
    assert_eq!((stats.threads_started, stats.accepted), (2, 4));
    gate.open();
    multi.shutdown().wait().unwrap();
    assert!(multi.submit(|| ()).is_err() && multi.try_spawn(async {}).is_err());
    let stats = multi.stats();
    assert_eq!((stats.completed, stats.rejected_closed), (4, 2));
    let each = multi.shards().iter().map(Pool::stats);
    assert!(
        each.into_iter()
            .all(|stats| stats.completed == 2 && stats.rejected_closed == 1)
    );
}

#[test]
fn larger_shard_admits_waiting_submitter() {
    let multi = two();
    let slots: Vec<_> = multi.shards().iter().map(Pool::try_slot).collect();
    let waits = {
        let multi = multi.clone();
        thread::spawn(move || multi.submit(|| ()).is_ok())
    };
    eventually(|| multi.stats().waiting == 1);
    for shard in multi.shards() {
        shard.set_capacity(3);
    }
    assert!(waits.join().unwrap());
    assert_eq!(multi.stats().capacity, 6);
    drop(slots);
}

#[test]
fn one_unlimited_shard_makes_all_unlimited() {
    let shards = [pool(3, 1), pool(usize::MAX, 1), pool(usize::MAX, 1)];
    let multi = MultiPool::new(shards, Balance::RoundRobin).unwrap();
    let _slots: Vec<_> = multi.shards().iter().map(Pool::try_slot).collect();
    let stats = multi.stats();
    assert_eq!((stats.capacity, stats.free), (usize::MAX, usize::MAX));
    assert_eq!(stats.in_flight, 3);
    for shard in multi.shards() {
        shard.set_capacity(5);
    }
    assert_eq!((multi.stats().capacity, multi.stats().free), (15, 12));
}

#[test]
fn shutdown_closes_all_shards_before_it_waits() {
    let multi = two();
    let slot = multi.shards()[0].try_slot().unwrap();
    let shuts_down = {
        let multi = multi.clone();
        thread::spawn(move || multi.shutdown().wait())
    };
    eventually(|| multi.shards()[1].is_closed());
    drop(slot);
    shuts_down.join().unwrap().unwrap();
    assert_eq!(multi.stats().threads, 0);
}

#[test]
fn timed_out_shutdown_reports_the_unfinished_shards() {
    let multi = MultiPool::new(
        [1, 2, 1].map(|capacity| pool(capacity, 1)),
        Balance::RoundRobin,
    );
    let multi = multi.unwrap();
    let gate = Gate::new();
    multi.shards()[1].submit(gate.waiter()).unwrap();
    let waiting = multi.shards()[1].try_slot().unwrap();
    let error = multi
        .shutdown()
        .wait_timeout(Duration::from_millis(5))
        .unwrap_err();
    let ShutdownError::Timeout(left) = &error else {
        panic!("tasks of the second shard remain: {error:?}");
    };
    assert_eq!((left.stats.in_flight, left.stats.capacity), (2, 2));
    assert_eq!(
        error.to_string(),
        "the pool did not end in time: 2 tasks in flight, 1 running"
    );
    assert!(multi.is_closed());
    drop(waiting);
    gate.open();
    multi.shutdown().wait_timeout(Duration::MAX).unwrap();
    multi.shutdown().wait().unwrap();
}

#[test]
fn late_shutdown_adds_up_the_remaining_shards() {
    let multi = two();
    let slots: Vec<_> = multi.shards().iter().map(Pool::try_slot).collect();
    let error = multi.shutdown().wait_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pool did not end in time: 2 tasks in flight, 0 running"
    );
    drop(slots);
    multi.shutdown().wait().unwrap();
}

#[test]
fn shutdown_waits_for_the_shards_behind_a_reopened_one() {
    let multi = two();
    let slots: Vec<_> = multi.shards().iter().map(Pool::try_slot).collect();
    let shuts_down = {
        let multi = multi.clone();
        thread::spawn(move || multi.shutdown().wait())
    };
    eventually(|| multi.is_closed());
    multi.shards()[0].reopen().unwrap();
    drop(slots);
    assert_eq!(shuts_down.join().unwrap(), Err(ShutdownError::Reopened));
    assert_eq!(multi.shards()[1].stats().threads, 0);
}

#[test]
fn worker_cannot_wait_for_the_end_of_any_shard() {
    let multi = two();
    // Did each wait for the other shard, neither would end.
    let told = within_both(&multi, |multi| multi.shutdown().wait());
    for told in told {
        assert_eq!(told, Err(ShutdownError::FromWorker));
    }
    assert!(multi.is_closed());
    multi.shutdown().wait().unwrap();
}

#[test]
fn dropped_multi_pool_closes_shards_without_other_handles() {
    let held = Arc::new(());
    let witness = Arc::downgrade(&held);
    let builder = Pool::builder().threads(1..=1);
    let builder = builder.panic_handler(move |_| _ = &held);
    let kept = pool(1, 1);
    let shards = [kept.clone(), builder.build().unwrap()];
    let multi = MultiPool::new(shards, Balance::RoundRobin).unwrap();
    drop(multi.clone());
    multi.submit(|| ()).unwrap();
    drop(multi);
    // The thread of an open pool would stay, and keep its panic handler.
    eventually(|| witness.upgrade().is_none());
    assert!(!kept.is_closed());
    kept.shutdown().wait().unwrap();
    assert_eq!(kept.stats().completed, 1);
}

#[test]
fn debug_output_lists_the_shards() {
    let shown = format!("{:?}", two());
    assert!(
        shown.starts_with("MultiPool { balance: RoundRobin, shards: [Pool { name: \"anthill-0\"")
    );
}

#[test]
fn reopen_skips_shards_that_still_discard() {
    let multi = Pool::builder()
        .capacity(2)
        .build_multi(2, Balance::RoundRobin)
        .unwrap();
    let held = multi.shards()[0].try_slot().unwrap();
    multi.discard();
    assert_eq!(multi.reopen(), Err(ReopenError::Discarding));
    let closed: Vec<_> = multi.shards().iter().map(Pool::is_closed).collect();
    assert_eq!(closed, [true, false]);
    drop(held);
    assert_eq!(multi.reopen(), Ok(()));
    assert!(!multi.shards()[0].is_closed());
}
