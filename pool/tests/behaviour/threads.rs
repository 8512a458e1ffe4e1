//! Changes of the thread limits while the pool runs.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use anthill::{BuildError, Pool};

use crate::support::{Gate, eventually, pool};

#[test]
fn higher_thread_limit_starts_queued_tasks() {
    let pool = pool(10, 1);
    let together = Arc::new(Barrier::new(3));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let together = Arc::clone(&together);
            pool.submit_with_handle(move || together.wait()).unwrap()
        })
        .collect();
    // One thread alone never gets past the barrier.
    pool.set_threads(0..=3).unwrap();
    for task in tasks {
        task.wait().unwrap();
    }
    assert_eq!(pool.threads(), 0..=3);
}

#[test]
fn lower_thread_limit_ends_busy_threads_after_their_task() {
    let (pool, gate) = (pool(10, 3), Gate::new());
    let (said, begun) = mpsc::channel();
    for _ in 0..3 {
        let (said, wait) = (said.clone(), gate.waiter());
        let task = move || {
            said.send(()).unwrap();
            wait();
        };
        pool.submit(task).unwrap();
        begun.recv().unwrap();
    }
    let behind = pool.submit_with_handle(|| 7).unwrap();
    pool.set_threads(0..=1).unwrap();
    assert_eq!(pool.stats().threads, 3, "they are busy");
    gate.open();
    assert_eq!(behind.wait().unwrap(), 7);
    eventually(|| pool.stats().threads == 1);
}

#[test]
fn lower_thread_limit_ends_idle_threads_at_once() {
    let pool = Pool::builder()
        .threads(4..=4)
        .idle_expiry(Duration::MAX)
        .build()
        .unwrap();
    assert_eq!(pool.stats().threads, 4);
    pool.set_threads(1..=1).unwrap();
    eventually(|| pool.stats().threads == 1);
    assert_eq!(pool.submit_with_handle(|| 1).unwrap().wait().unwrap(), 1);
}

#[test]
fn lower_minimum_lets_idle_threads_expire() {
    let builder = Pool::builder().threads(2..=2).idle_expiry(Duration::ZERO);
    let pool = builder.build().unwrap();
    pool.set_threads(0..=2).unwrap();
    eventually(|| pool.stats().threads == 0);
    assert_eq!(pool.stats().threads_expired, 2);
}

#[test]
fn higher_minimum_starts_threads() {
    let pool = pool(10, 1);
    pool.set_threads(3..=3).unwrap();
    assert_eq!(pool.stats().threads, 3);
}

#[test]
fn invalid_thread_range_changes_nothing() {
    let pool = pool(10, 2);
    #[expect(clippy::reversed_empty_ranges, reason = "it is what is refused")]
    let empty = 3..=2;
    for range in [0..=0, empty] {
        assert!(matches!(
            pool.set_threads(range),
            Err(BuildError::NoThreads { .. })
        ));
    }
    assert!(matches!(
        pool.set_threads(0..=usize::MAX),
        Err(BuildError::TooManyThreads { .. })
    ));
    assert_eq!(
        pool.set_threads(0..=1_000_000).unwrap_err().to_string(),
        "1000000 threads were asked for; a pool has 65534 at most"
    );
    assert_eq!(pool.threads(), 0..=2);
}

#[test]
fn lower_thread_limit_ends_a_thread_about_to_sleep() {
    let builder = Pool::builder().threads(0..=2).idle_expiry(Duration::MAX);
    let pool = builder.build().unwrap();
    for _ in 0..1_000 {
        pool.set_threads(0..=2).unwrap();
        let both = Arc::new(Barrier::new(2));
        for _ in 0..2 {
            let both = Arc::clone(&both);
            pool.submit(move || _ = both.wait()).unwrap();
        }
        eventually(|| pool.in_flight() == 0);
        pool.set_threads(0..=1).unwrap();
        eventually(|| pool.stats().threads <= 1);
    }
}

#[test]
fn default_thread_limit_is_the_usable_processors() {
    let pool = Pool::builder().build().unwrap();
    assert_eq!(pool.threads(), 0..=num_cpus::get());
}
