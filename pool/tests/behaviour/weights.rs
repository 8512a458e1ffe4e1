//! Tasks with several slots.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Balance, JoinError, MultiPool, Pool, SlotError};

use crate::support::{Gate, block_on, eventually, occupy, pool};

#[test]
fn task_holds_all_its_slots_until_it_ends() {
    let pool = pool(10, 1);
    let gate = Gate::new();
    let slot = pool.slots(7).wait().unwrap();
    assert_eq!(pool.in_flight(), 7);
    let task = slot.submit_with_handle(gate.waiter());
    assert_eq!(pool.in_flight(), 7);
    assert_eq!(pool.try_slots(4).err(), Some(SlotError::Full));
    drop(pool.try_slots(3).unwrap());
    gate.open();
    task.wait().unwrap();
    assert_eq!(pool.in_flight(), 0, "a joiner finds all slots free");
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.completed), (1, 1));
}

#[test]
fn every_end_of_a_task_releases_all_its_slots() {
    let pool = pool(8, 1);
    let slots = || pool.slots(8).wait().unwrap();
    slots().submit(|| ());
    slots().spawn(async {});
    let panics = slots().submit_with_handle(|| panic!("on purpose"));
    assert!(panics.wait().is_err());
    assert_eq!(pool.in_flight(), 0);
    let future = slots().spawn_with_handle(async { panic!("on purpose") });
    assert!(future.wait().is_err());
    assert_eq!(pool.in_flight(), 0);
    let suspended = slots().spawn_with_handle(pending::<()>());
    // A second thread may have started for a future while the first ended a closure.
    eventually(|| {
        let stats = pool.stats();
        stats.idle_threads == stats.threads
    });
    suspended.cancel();
    eventually(|| pool.in_flight() == 0);
    let late = slots().expires_at(Instant::now()).submit_with_handle(|| ());
    assert!(matches!(late.wait(), Err(JoinError::Expired)));
    assert_eq!(pool.in_flight(), 0);
    drop(slots());
    assert_eq!(pool.in_flight(), 0);
    drop(slots().into_owned());
    slots().submit(|| ());
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn cancelled_and_discarded_tasks_release_all_slots() {
    let pool = pool(8, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let queued = pool.slots(7).wait().unwrap().submit_with_handle(|| ());
    assert_eq!(pool.in_flight(), 8);
    assert!(queued.cancel());
    assert_eq!(pool.in_flight(), 1);
    pool.slots(7).wait().unwrap().submit(|| unreachable!());
    pool.discard();
    assert_eq!(pool.in_flight(), 1);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn request_beyond_the_capacity_is_refused_at_once() {
    let pool = pool(4, 1);
    let held = pool.try_slot().unwrap();
    for count in [5, usize::MAX] {
        assert_eq!(pool.try_slots(count).err(), Some(SlotError::TooMany));
        assert_eq!(pool.slots(count).wait().err(), Some(SlotError::TooMany));
        let awaited = block_on(pool.slots(count));
        assert_eq!(awaited.err(), Some(SlotError::TooMany));
    }
    assert_eq!(pool.stats().rejected_full, 6);
    drop(held);
    drop(pool.slots(4).wait().unwrap());
    let none = pool.slots(0).wait().unwrap();
    assert_eq!(pool.in_flight(), 1, "0 counts as 1");
    drop(none);
    pool.close();
    assert_eq!(pool.try_slots(5).err(), Some(SlotError::Closed));
}

#[test]
fn small_request_does_not_overtake_a_large_one() {
    let pool = pool(4, 1);
    let first = pool.slots(3).wait().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut large = pin!(pool.slots(3));
    assert!(large.as_mut().poll(&mut cx).is_pending());
    assert_eq!(
        pool.try_slot().err(),
        Some(SlotError::Full),
        "a slot is free"
    );
    let mut small = pin!(pool.slot());
    assert!(small.as_mut().poll(&mut cx).is_pending());
    drop(first);
    assert!(large.as_mut().poll(&mut cx).is_ready());
    assert!(small.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn large_request_that_gives_up_lets_the_next_go_on() {
    let pool = pool(4, 1);
    let _held = pool.slots(3).wait().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut small = pin!(pool.slot());
    {
        let mut large = pin!(pool.slots(2));
        assert!(large.as_mut().poll(&mut cx).is_pending());
        assert!(small.as_mut().poll(&mut cx).is_pending());
    }
    assert!(small.as_mut().poll(&mut cx).is_ready());
    assert_eq!(
        pool.slots(2).wait_timeout(Duration::ZERO).err(),
        Some(SlotError::Timeout)
    );
}

#[test]
fn smaller_capacity_refuses_waiting_requests_beyond_it() {
    let pool = pool(4, 1);
    let held = pool.slots(3).wait().unwrap();
    let large = [1, 2].map(|waiting| {
        let own = pool.clone();
        let large = thread::spawn(move || own.slots(4).wait().map(drop));
        eventually(|| pool.stats().waiting == waiting);
        large
    });
    let small = {
        let pool = pool.clone();
        thread::spawn(move || pool.slots(3).wait().map(drop))
    };
    eventually(|| pool.stats().waiting == 3);
    pool.set_capacity(3);
    for large in large {
        assert_eq!(large.join().unwrap(), Err(SlotError::TooMany));
    }
    assert_eq!(pool.stats().waiting, 1);
    drop(held);
    assert_eq!(small.join().unwrap(), Ok(()));
}

#[test]
fn random_weights_never_exceed_the_capacity_and_never_deadlock() {
    const CAPACITY: usize = 8;
    let pool = pool(CAPACITY, 2);
    let used = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4_u64)
        .map(|seed| {
            let (pool, used) = (pool.clone(), Arc::clone(&used));
            thread::spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..500 {
                    let count = random.usize(1..=CAPACITY);
                    let slot = if random.bool() {
                        pool.slots(count).wait().unwrap()
                    } else {
                        block_on(pool.slots(count)).unwrap()
                    };
                    let used = Arc::clone(&used);
                    slot.submit(move || {
                        let before = used.fetch_add(count, Ordering::SeqCst);
                        assert!(before + count <= CAPACITY);
                        used.fetch_sub(count, Ordering::SeqCst);
                    });
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.panicked), (2000, 0));
}

#[test]
fn shard_with_enough_free_slots_takes_the_request() {
    let multi = MultiPool::new([pool(2, 1), pool(4, 1)], Balance::RoundRobin).unwrap();
    let three = multi.try_slots(3).unwrap();
    assert_eq!(multi.shards()[1].in_flight(), 3);
    assert_eq!(multi.try_slots(3).err(), Some(SlotError::Full));
    assert_eq!(multi.try_slots(5).err(), Some(SlotError::TooMany));
    let waits = {
        let multi = multi.clone();
        thread::spawn(move || multi.slots(3).wait().map(drop))
    };
    eventually(|| multi.stats().waiting == 1);
    drop(three);
    waits.join().unwrap().unwrap();
    assert!(block_on(multi.slots(4)).is_ok());
}

#[test]
fn request_of_a_shrunk_shard_goes_on_to_another() {
    for is_async in [false, true] {
        let multi = MultiPool::new([pool(4, 1), pool(4, 1)], Balance::RoundRobin).unwrap();
        let shards = multi.shards();
        let mut held = [shards[0].try_slot().ok(), shards[1].try_slot().ok()];
        let waits = {
            let multi = multi.clone();
            thread::spawn(move || {
                let slots = multi.slots(4);
                let slots = if is_async {
                    block_on(slots)
                } else {
                    slots.wait()
                };
                slots.map(drop)
            })
        };
        eventually(|| multi.stats().waiting == 1);
        let first = usize::from(shards[1].stats().waiting == 1);
        shards[first].set_capacity(3);
        held[1 - first] = None;
        assert_eq!(waits.join().unwrap(), Ok(()));
        assert_eq!(multi.stats().rejected_full, 0);
    }
}

#[test]
fn strand_and_subpool_take_weights() {
    let pool: Pool = pool(10, 1);
    let subpool = pool.subpool().capacity(6).build().unwrap();
    let strand = subpool.strand();
    let slot = strand.slots(5).wait().unwrap();
    assert_eq!((pool.in_flight(), subpool.in_flight()), (0, 5));
    slot.submit_with_handle(|| ()).wait().unwrap();
    let slot = block_on(strand.slots(6)).unwrap();
    slot.spawn_with_handle(async {}).wait().unwrap();
    eventually(|| subpool.in_flight() == 0);
    pool.shutdown().wait().unwrap();
}
