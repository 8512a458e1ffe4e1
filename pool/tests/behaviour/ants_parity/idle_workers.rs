//! Idle threads are reused newest first, expire, and stay up to the minimum.

use std::ops::RangeInclusive;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anthill::{BuildError, Pool, SlotError, Stats};

use super::kinds::{Anything, Closures, Kind, Typed};
use super::watch::{MINUTE, Watch, watched};
use crate::support::{Gate, eventually};

/// Runs a thousand tasks, and one more after the threads have expired.
fn one_more_after_the_purge<K: Kind>(threads: RangeInclusive<usize>) {
    const CAPACITY: usize = 10_000;
    let stay = *threads.start();
    let watch = Watch::default();
    let builder = Pool::builder().capacity(CAPACITY).threads(threads);
    let pool: K = watched(builder.idle_expiry(Duration::ZERO), &watch, |_| ());
    for n in 0..1_000 {
        pool.submit(n).unwrap();
    }
    let stats = || pool.pool().stats();
    eventually(|| watch.ended() == 1_000);
    eventually(|| (stats().threads, stats().idle_threads) == (stay, stay));
    let before = stats();
    assert_eq!(
        before.threads_started - before.threads_expired,
        stay as u64,
        "the others have left"
    );
    pool.submit(1_000).unwrap();
    pool.pool().shutdown().wait().unwrap();
    assert_eq!((watch.ended(), stats().completed), (1_001, 1_001));
    watch.assert_never_beyond(CAPACITY);
    let started = stats().threads_started - before.threads_started;
    assert_eq!(started, u64::from(stay == 0));
}

#[test]
fn ants_pool_get_worker_from_cache() {
    one_more_after_the_purge::<Closures>(0..=4);
}

#[test]
fn ants_pool_with_func_get_worker_from_cache() {
    one_more_after_the_purge::<Anything>(0..=4);
}

#[test]
fn ants_pool_with_func_generic_get_worker_from_cache() {
    one_more_after_the_purge::<Typed>(0..=4);
}

#[test]
fn ants_pool_with_func_get_worker_from_cache_pre_malloc() {
    one_more_after_the_purge::<Anything>(1..=4);
}

#[test]
fn ants_pool_with_func_generic_get_worker_from_cache_pre_malloc() {
    one_more_after_the_purge::<Typed>(1..=4);
}

/// Fills the pool with blocked tasks. After their end all threads expire.
fn full_and_then_empty<K: Kind>() {
    const SIZE: usize = 100;
    let (watch, gate) = (Watch::default(), Gate::new());
    let builder = Pool::builder().capacity(SIZE).threads(0..=SIZE);
    let held = gate.clone();
    let pool: K = watched(builder.idle_expiry(Duration::ZERO), &watch, move |_| {
        held.wait();
    });
    for n in 0..SIZE {
        pool.submit(n as u64).unwrap();
    }
    let stats = || pool.pool().stats();
    assert_eq!((stats().in_flight, stats().free), (SIZE, 0));
    eventually(|| watch.most() == SIZE);
    assert_eq!(stats().running, SIZE);
    gate.open();
    eventually(|| stats().threads == 0);
    assert_eq!(stats().threads_started, stats().threads_expired);
    assert_eq!(watch.ended(), SIZE as u64);
    watch.assert_never_beyond(SIZE);
}

#[test]
fn purge_pool() {
    full_and_then_empty::<Closures>();
    full_and_then_empty::<Anything>();
    full_and_then_empty::<Typed>();
}

/// Runs one task. Then only the minimum of threads is left.
fn one_task_and_then<K: Kind>(threads: RangeInclusive<usize>) {
    let stay = *threads.start();
    let watch = Watch::default();
    let builder = Pool::builder().capacity(10).threads(threads);
    let pool: K = watched(builder.idle_expiry(Duration::ZERO), &watch, |_| ());
    pool.submit(0).unwrap();
    eventually(|| watch.ended() == 1 && pool.pool().stats().threads == stay);
}

#[test]
fn purge_pre_malloc_pool() {
    one_task_and_then::<Closures>(1..=10);
    one_task_and_then::<Anything>(0..=10);
    one_task_and_then::<Typed>(0..=10);
}

/// Threads that may not expire are still there after those of another pool have expired.
fn resident<K: Kind>(workers: usize, threads: RangeInclusive<usize>, expiry: Duration) {
    let gate = Gate::new();
    let busy = |threads, expiry| {
        let (watch, held) = (Watch::default(), gate.clone());
        let builder = Pool::builder().capacity(workers).threads(threads);
        let pool: K = watched(builder.idle_expiry(expiry), &watch, move |_| held.wait());
        for n in 0..workers {
            pool.submit(n as u64).unwrap();
        }
        eventually(|| pool.pool().stats().running == workers);
        assert_eq!(pool.pool().stats().free, 0);
        (pool, watch)
    };
    let (pool, watch) = busy(threads, expiry);
    let (control, _) = busy(0..=workers, Duration::ZERO);
    gate.open();
    eventually(|| control.pool().stats().threads == 0);
    eventually(|| pool.pool().stats().idle_threads == workers);
    let stats = pool.pool().stats();
    assert_eq!((stats.threads, stats.threads_expired), (workers, 0));
    assert_eq!(stats.free, workers, "an idle thread takes no slot");
    pool.pool().shutdown().wait_timeout(MINUTE).unwrap();
    let stats = pool.pool().stats();
    assert_eq!((stats.threads, stats.free), (0, workers));
    assert_eq!(watch.ended(), workers as u64);
    watch.assert_never_beyond(workers);
}

#[test]
fn with_disable_purge_pool() {
    resident::<Closures>(10, 0..=10, Duration::MAX);
}

#[test]
fn with_disable_purge_and_with_expiration_pool() {
    resident::<Closures>(10, 10..=10, Duration::ZERO);
}

#[test]
fn with_disable_purge_pool_func() {
    resident::<Anything>(10, 0..=10, Duration::MAX);
}

#[test]
fn with_disable_purge_and_with_expiration_pool_func() {
    resident::<Anything>(2, 2..=2, Duration::ZERO);
}

// In ants the queue of idle workers is a type with its own tests. Here they test its purpose.

/// A new pool has no threads, and a pool without threads is refused.
#[test]
fn new_loop_queue() {
    let pool = Pool::builder().threads(0..=100).build().unwrap();
    let Stats {
        threads,
        idle_threads,
        threads_started,
        ..
    } = pool.stats();
    assert_eq!((threads, idle_threads, threads_started), (0, 0, 0));
    let none = Pool::builder().threads(0..=0).build();
    assert!(matches!(
        none,
        Err(BuildError::NoThreads { min: 0, max: 0 })
    ));
}

/// Ten tasks are accepted and the eleventh is refused. Then threads expire down to the minimum.
#[test]
fn loop_queue() {
    let gate = Gate::new();
    let builder = Pool::builder().capacity(10).threads(6..=10);
    let pool = builder.idle_expiry(Duration::ZERO).build().unwrap();
    for _ in 0..10 {
        pool.try_submit(gate.waiter()).unwrap();
    }
    let eleventh = pool.try_submit(|| ()).unwrap_err();
    assert_eq!(eleventh.reason(), SlotError::Full);
    eventually(|| pool.stats().running == 10);
    gate.open();
    eventually(|| (pool.stats().threads, pool.stats().idle_threads) == (6, 6));
    let stats = pool.stats();
    // A thread may expire before the last task comes, and is then started once more.
    assert!(stats.threads_started >= 10);
    assert_eq!(stats.threads_started - stats.threads_expired, 6);
}

/// Idle threads expire, busy threads stay, in any arrangement.
#[test]
fn retrieve_expiry() {
    let builder = Pool::builder().capacity(10).threads(0..=10);
    let pool = builder.idle_expiry(Duration::ZERO).build().unwrap();
    for round in 0..6 {
        let (idle, busy) = (Gate::new(), Gate::new());
        for n in 0..10 {
            // The first half, the second half, every other one.
            let is_idle = match round % 3 {
                0 => n < 5,
                1 => n >= 5,
                _ => n % 2 == 0,
            };
            let gate = if is_idle { &idle } else { &busy };
            pool.submit(gate.waiter()).unwrap();
        }
        eventually(|| pool.stats().running == 10);
        idle.open();
        eventually(|| pool.stats().threads == 5);
        let stats = pool.stats();
        assert_eq!((stats.running, stats.in_flight), (5, 5));
        busy.open();
        eventually(|| (pool.stats().threads, pool.stats().in_flight) == (0, 0));
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 60);
}

/// The first task starts a thread and wakes none.
#[test]
fn new_worker_stack() {
    let pool = Pool::builder().threads(0..=100).build().unwrap();
    pool.submit(|| ()).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.threads_started, stats.wakeups), (1, 0));
}

/// The worker that became idle last is woken first, so it runs all of a sequence of tasks.
#[test]
fn worker_stack() {
    const WORKERS: usize = 4;
    const IN_A_ROW: u32 = 100;
    let builder = Pool::builder().threads(WORKERS..=WORKERS);
    let pool = builder.build().unwrap();
    let (ran_on, seen) = mpsc::channel();
    let (mut last, mut in_a_row, mut woken) = (None, 0, 0);
    while in_a_row < IN_A_ROW {
        eventually(|| pool.stats().idle_threads == WORKERS);
        // Lets the workers fall asleep. A worker that is still awake takes the task without a
        // wake-up, and such a round is not counted.
        (0..300).for_each(|_| thread::yield_now());
        let wakeups = pool.stats().wakeups;
        let ran_on = ran_on.clone();
        pool.submit(move || ran_on.send(thread::current().id()).unwrap())
            .unwrap();
        let worker = seen.recv().unwrap();
        if pool.stats().wakeups == wakeups {
            continue;
        }
        woken += 1;
        assert!(woken < 100 * IN_A_ROW, "it is another one each time");
        in_a_row = if last == Some(worker) {
            in_a_row + 1
        } else {
            0
        };
        last = Some(worker);
    }
}
