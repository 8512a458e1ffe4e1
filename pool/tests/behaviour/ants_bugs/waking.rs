//! Waiting submitters are woken by every event that concerns them, and sleep until then.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use anthill::{Pool, Slot, SlotError};

use super::running::Running;
use crate::support::{Gate, block_on, eventually, pool};

const MINUTE: Duration = Duration::from_secs(60);

/// ants #141, #143, #202: a release did not wake waiting submitters. ants #297: it returned overload to them.
#[test]
fn close_returns_closed_to_every_waiter() {
    for _ in 0..200 {
        let builder = Pool::builder().capacity(1).threads(0..=1);
        let pool = builder.max_waiting(6).build().unwrap();
        let held = pool.try_slot().unwrap();
        let submit_in = |slot: Slot<'_>| slot.submit(|| ());
        let told = thread::scope(|scope| {
            let plain = [(); 2].map(|()| scope.spawn(|| pool.submit(|| ())));
            let timed =
                [(); 2].map(|()| scope.spawn(|| pool.slot().wait_timeout(MINUTE).map(submit_in)));
            let futures = [(); 2].map(|()| scope.spawn(|| block_on(pool.slot()).map(submit_in)));
            eventually(|| pool.stats().waiting == 6);
            pool.close();
            let told = plain.into_iter().chain(timed).chain(futures);
            told.map(|told| told.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(told, [Err(SlotError::Closed); 6]);
        drop(held);
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.rejected_closed, stats.rejected_full), (6, 0));
    }
}

/// ants #142: waiting submitters slept on after the purge had taken the last worker.
#[test]
fn waiters_get_slots_after_all_threads_expired() {
    let builder = Pool::builder().capacity(2).threads(0..=2);
    let pool = builder.idle_expiry(Duration::ZERO).build().unwrap();
    let running = Arc::new(Running::default());
    for round in 1..=100 {
        let held = [pool.try_slot().unwrap(), pool.try_slot().unwrap()];
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| pool.submit(running.task()).unwrap());
            }
            eventually(|| (pool.stats().waiting, pool.stats().threads) == (4, 0));
            drop(held);
        });
        eventually(|| (running.ended(), pool.in_flight()) == (4 * round, 0));
    }
    assert!(running.most() <= 2);
}

/// Submits tasks that all panic, to a pool of one slot whose thread does not expire.
fn submit_panicking(submitters: usize, each: u64) {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool = builder.idle_expiry(Duration::MAX).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..submitters {
            scope.spawn(|| {
                for _ in 0..each {
                    pool.submit(|| resume_unwind(Box::new(()))).unwrap();
                }
            });
        }
    });
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(stats.panicked, submitters as u64 * each);
    assert_eq!((stats.in_flight, stats.threads_started), (0, 1));
}

/// ants #146, and a wake-up that v2.11.4 still loses: a task that panics admits the next submitter.
#[test]
fn panicking_tasks_always_wake_one_submitter() {
    submit_panicking(1, 200_000);
}

/// ants #146.
#[test]
fn panicking_tasks_always_wake_two_submitters() {
    submit_panicking(2, 50_000);
}

/// ants #202, and the same window in a release: a submit during the close returns `Closed`, and no slot leaks.
#[test]
fn close_leaves_no_submitter_asleep() {
    for round in 0..2_000 {
        let pool = pool(1, 1);
        let running = Arc::new(Running::default());
        let start = Barrier::new(2);
        let accepted = thread::scope(|scope| {
            let submitter = scope.spawn(|| {
                start.wait();
                let mut accepted = 0;
                while pool.submit(running.task()).is_ok() {
                    accepted += 1;
                }
                accepted
            });
            start.wait();
            // Closes after a different number of tasks in each round.
            eventually(|| running.ended() >= round % 8);
            pool.close();
            submitter.join().unwrap()
        });
        pool.shutdown().wait().unwrap();
        assert_eq!((running.ended(), pool.in_flight()), (accepted, 0));
    }
}

/// ants #205, and the same window in a tune: a submitter gets a slot whatever is tuned meanwhile.
#[test]
fn tuning_leaves_no_submitter_asleep() {
    const EACH: usize = 10_000;
    let pool = pool(2, 2);
    let running = Arc::new(Running::default());
    let submitting = AtomicUsize::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    pool.submit(running.task()).unwrap();
                }
                submitting.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for turn in 0_usize.. {
            if submitting.load(Ordering::Relaxed) == 0 {
                break;
            }
            pool.set_capacity(turn % 3);
            pool.set_threads(turn % 2..=1 + turn % 2).unwrap();
            thread::yield_now();
            pool.set_capacity(2);
        }
    });
    pool.shutdown().wait().unwrap();
    assert_eq!((running.ended(), pool.in_flight()), (2 * EACH, 0));
    assert!(running.most() <= 2);
}

/// ants #10, and seen in its release: waiting threads polled in a loop and used a core.
#[cfg(target_os = "linux")]
#[test]
fn waiters_sleep_instead_of_spinning() {
    /// Starts a thread that calls `wait`, and returns once the thread stays asleep.
    fn asleep<'scope, 'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        wait: impl FnOnce() -> bool + Send + 'scope,
    ) -> thread::ScopedJoinHandle<'scope, bool> {
        let (said, heard) = std::sync::mpsc::channel();
        let waits = scope.spawn(move || {
            said.send(std::fs::read_link("/proc/thread-self").unwrap())
                .unwrap();
            wait()
        });
        let stat = std::path::Path::new("/proc")
            .join(heard.recv().unwrap())
            .join("stat");
        eventually(|| {
            (0..500).all(|_| {
                let stat = std::fs::read_to_string(&stat).unwrap();
                let (_, state) = stat.rsplit_once(')').unwrap();
                state.starts_with(" S")
            })
        });
        waits
    }
    let (pool, gate) = (pool(1, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    thread::scope(|scope| {
        let submitters = [
            asleep(scope, || pool.submit(|| ()).is_err()),
            asleep(scope, || {
                pool.slot()
                    .wait_timeout(MINUTE)
                    .map(|slot| slot.submit(|| ()))
                    .is_err()
            }),
        ];
        pool.close();
        assert!(submitters.into_iter().all(|told| told.join().unwrap()));
        let ends = [
            asleep(scope, || pool.shutdown().wait().is_ok()),
            asleep(scope, || pool.shutdown().wait_timeout(MINUTE).is_ok()),
        ];
        gate.open();
        assert!(ends.into_iter().all(|told| told.join().unwrap()));
    });
}
