//! ants' default pool, which every program has. Here a program that wants one for all its parts has a static.

use std::sync::{LazyLock, mpsc};
use std::thread;

use anthill::{Pool, SlotError};

use super::watch::{Dormitory, MINUTE, Watch};
use crate::support::{Gate, eventually};

/// As ants': without a limit.
fn unlimited() -> Pool {
    let builder = Pool::builder().capacity(usize::MAX).threads(0..=5);
    builder.build().unwrap()
}

#[test]
fn ants_pool() {
    const TASKS: usize = 100_000;
    static POOL: LazyLock<Pool> = LazyLock::new(unlimited);
    let (watch, dormitory) = (Watch::default(), Dormitory::new(usize::MAX));
    for _ in 0..TASKS {
        let (watch, dormitory) = (watch.clone(), dormitory.clone());
        let task = async move {
            let _inside = watch.enter(&*POOL);
            dormitory.sleep().await;
        };
        POOL.try_spawn(task).unwrap();
    }
    // All at once, on a few threads.
    eventually(|| dormitory.sleepers() == TASKS);
    let stats = POOL.stats();
    assert_eq!((stats.capacity, stats.in_flight), (usize::MAX, TASKS));
    assert_eq!(stats.free, usize::MAX - TASKS);
    assert!(stats.threads <= 5);
    dormitory.wake_all();
    POOL.shutdown().wait().unwrap();
    assert_eq!(watch.most(), TASKS);
    assert_eq!(POOL.stats().completed, TASKS as u64);
}

#[test]
fn reboot_default_pool() {
    static POOL: LazyLock<Pool> = LazyLock::new(unlimited);
    POOL.reopen().unwrap();
    let (ran, seen) = mpsc::channel();
    let said = ran.clone();
    POOL.submit(move || said.send(1).unwrap()).unwrap();
    POOL.shutdown().wait_timeout(MINUTE).unwrap();
    assert_eq!(seen.try_recv(), Ok(1), "it had ended before");
    assert!(matches!(POOL.submit(|| ()), Err(SlotError::Closed)));
    POOL.reopen().unwrap();
    POOL.submit(move || ran.send(2).unwrap()).unwrap();
    assert_eq!(seen.recv(), Ok(2));
    POOL.shutdown().wait().unwrap();
    assert_eq!(POOL.stats().completed, 2);
}

/// Five tasks that run, and a wait for their end.
fn waits_for_five(pool: &Pool, wait: impl FnOnce() + Send) {
    let (watch, gate) = (Watch::default(), Gate::new());
    for _ in 0..5 {
        let (own, watch, held) = (pool.clone(), watch.clone(), gate.clone());
        let task = move || {
            let _inside = watch.enter(&own);
            held.wait();
        };
        pool.submit(task).unwrap();
    }
    eventually(|| pool.stats().running == 5);
    thread::scope(|scope| {
        let waits = scope.spawn(wait);
        eventually(|| pool.is_closed());
        assert!(!waits.is_finished() && watch.ended() == 0);
        gate.open();
        waits.join().unwrap();
        assert_eq!(watch.ended(), 5);
    });
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.threads), (5, 0));
}

#[test]
fn default_pool_release_timeout() {
    static POOL: LazyLock<Pool> = LazyLock::new(unlimited);
    POOL.reopen().unwrap();
    waits_for_five(&POOL, || POOL.shutdown().wait_timeout(MINUTE).unwrap());
}

#[test]
fn default_pool_release_context() {
    static POOL: LazyLock<Pool> = LazyLock::new(unlimited);
    waits_for_five(&POOL, || POOL.shutdown().wait().unwrap());
}
