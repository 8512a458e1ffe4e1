//! A strand runs its tasks in order and one at a time.

use std::hash::{Hash, Hasher};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Pool, SlotError, Strands};

use crate::support::{Gate, block_on, eventually, pool, yield_now};

#[test]
fn strand_runs_closures_and_futures_in_order() {
    let pool = pool(2_000, 3);
    let strand = pool.strand();
    let (ran, seen) = mpsc::channel();
    for n in 0..1_000 {
        let ran = ran.clone();
        if n % 7 == 0 {
            strand
                .spawn(async move {
                    yield_now().await;
                    ran.send(n).unwrap();
                })
                .unwrap();
        } else {
            strand.submit(move || ran.send(n).unwrap()).unwrap();
        }
    }
    drop(ran);
    assert!(seen.into_iter().eq(0..1_000));
}

#[test]
fn tasks_of_a_strand_never_overlap() {
    let pool = pool(100, 4);
    let strand = pool.strand();
    let (inside, met) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let (inside, met) = (Arc::clone(&inside), Arc::clone(&met));
                    let task = move || {
                        met.fetch_add(inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    };
                    strand.submit(task).unwrap();
                }
            });
        }
    });
    pool.shutdown().wait().unwrap();
    assert_eq!(
        (met.load(Ordering::SeqCst), pool.stats().completed),
        (0, 8_000)
    );
}

#[test]
fn strands_run_in_parallel() {
    let pool = pool(2, 2);
    // Passed only by two tasks that run at once.
    let barrier = Arc::new(Barrier::new(2));
    for strand in [pool.strand(), pool.strand()] {
        let barrier = Arc::clone(&barrier);
        strand.submit(move || _ = barrier.wait()).unwrap();
    }
    pool.shutdown().wait().unwrap();
}

#[test]
fn suspended_future_blocks_its_strand_and_no_thread() {
    let pool = pool(3, 1);
    let strand = pool.strand();
    let wait = Arc::new(AtomicUsize::new(0));
    let waited = Arc::clone(&wait);
    strand
        .spawn(async move {
            while waited.load(Ordering::Acquire) == 0 {
                yield_now().await;
            }
        })
        .unwrap();
    let (ran, seen) = mpsc::channel();
    let behind = ran.clone();
    strand
        .submit(move || behind.send("behind").unwrap())
        .unwrap();
    pool.submit(move || ran.send("beside").unwrap()).unwrap();
    assert_eq!(seen.recv().unwrap(), "beside");
    wait.store(1, Ordering::Release);
    assert_eq!(seen.recv().unwrap(), "behind");
}

#[test]
fn panic_ends_its_task_and_the_strand_goes_on() {
    let pool = pool(4, 1);
    let strand = pool.strand();
    strand
        .submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    strand
        .spawn(async { std::panic::resume_unwind(Box::new(())) })
        .unwrap();
    let (ran, seen) = mpsc::channel();
    strand.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().panicked, pool.stats().completed), (2, 1));
}

#[test]
fn waiting_tasks_of_a_strand_fill_the_pool() {
    let pool = pool(2, 2);
    let strand = pool.strand();
    let gate = Gate::new();
    strand.submit(gate.waiter()).unwrap();
    strand.submit(|| ()).unwrap();
    let refused = strand.try_submit(|| ()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Full);
    eventually(|| strand.queued() == 1);
    gate.open();
    block_on(strand.slot())
        .map(|slot| slot.submit(|| ()))
        .unwrap();
    pool.shutdown().wait().unwrap();
    assert!(matches!(strand.submit(|| ()), Err(SlotError::Closed)));
    assert_eq!(pool.stats().completed, 3);
}

#[test]
fn tasks_of_a_dropped_strand_still_run() {
    let pool = pool(100, 1);
    {
        let strand = pool.strand();
        for _ in 0..100 {
            strand.submit(|| ()).unwrap();
        }
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 100);
}

#[test]
fn busy_strand_yields_the_worker_to_others() {
    let pool = Pool::builder()
        .capacity(10_000)
        .threads(0..=1)
        .build()
        .unwrap();
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let strand = pool.strand();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..1_000 {
        let done = Arc::clone(&done);
        strand
            .submit(move || _ = done.fetch_add(1, Ordering::Relaxed))
            .unwrap();
    }
    let (told, seen) = mpsc::channel();
    let so_far = Arc::clone(&done);
    pool.submit(move || told.send(so_far.load(Ordering::Relaxed)).unwrap())
        .unwrap();
    gate.open();
    assert!(seen.recv().unwrap() < 1_000);
    pool.shutdown().wait().unwrap();
    assert_eq!(done.load(Ordering::Relaxed), 1_000);
}

#[test]
fn results_of_a_strand_keep_its_order() {
    let (pool, gate) = (pool(8, 2), Gate::new());
    let strand = pool.strand();
    let log = Arc::new(Mutex::new(Vec::new()));
    let push = |n: i32| {
        let log = Arc::clone(&log);
        move || {
            let mut log = log.lock().unwrap();
            log.push(n);
            log.len()
        }
    };
    strand.submit(gate.waiter()).unwrap();
    let first = strand.submit_with_handle(push(1)).unwrap();
    let later = push(2);
    let second = strand.spawn_with_handle(async move { later() }).unwrap();
    let third = strand.submit_with_handle(push(3)).unwrap();
    assert!(!first.is_finished());
    gate.open();
    assert_eq!(third.wait().unwrap(), 3);
    assert_eq!(block_on(second).unwrap(), 2);
    assert_eq!(first.wait().unwrap(), 1);
    assert_eq!(*log.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn strand_skips_a_cancelled_task() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let strand = pool.strand();
    strand.submit(gate.waiter()).unwrap();
    let closure = strand.submit_with_handle(|| unreachable!()).unwrap();
    let last = strand.submit_with_handle(|| 5).unwrap();
    assert!(closure.cancel());
    gate.open();
    assert_eq!(last.wait().unwrap(), 5);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn timed_wait_of_a_strand_times_out() {
    let pool = pool(1, 1);
    let strand = pool.strand();
    let held = pool.try_slot().unwrap();
    let late = Instant::now();
    let closure = strand
        .slot()
        .wait_deadline(late)
        .map(|slot| slot.submit(|| ()));
    assert!(matches!(closure, Err(SlotError::Timeout)));
    let future = strand
        .slot()
        .wait_deadline(late)
        .map(|slot| slot.spawn(async {}));
    assert!(matches!(future, Err(SlotError::Timeout)));
    let future = strand
        .slot()
        .wait_timeout(Duration::ZERO)
        .map(|slot| slot.spawn(async {}));
    assert!(matches!(future, Err(SlotError::Timeout)));
    drop(held);
    strand
        .slot()
        .wait_deadline(late)
        .map(|slot| slot.submit(|| ()))
        .unwrap();
}

#[test]
fn key_keeps_its_strand_while_in_use() {
    let (pool, gate) = (pool(8, 2), Gate::new());
    let strands = pool.strands::<String>();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (said, begun) = mpsc::channel();
    let wait = gate.clone();
    let busy = move || {
        said.send(()).unwrap();
        wait.wait();
    };
    strands.strand("busy").submit(busy).unwrap();
    begun.recv().unwrap();
    let kept = strands.strand("kept");
    // More keys than one sweep examines.
    for key in 0..1000 {
        drop(strands.strand(&key.to_string()));
    }
    assert!(strands.len() < 200, "{} strands", strands.len());
    for (key, n) in [("busy", 1), ("busy", 2)] {
        let log = Arc::clone(&log);
        let push = move || log.lock().unwrap().push(n);
        strands.strand(key).submit(push).unwrap();
    }
    assert_eq!(strands.strand("busy").queued(), 2, "it is the same strand");
    kept.submit(|| ()).unwrap();
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(*log.lock().unwrap(), [1, 2]);
}

#[test]
fn strands_of_different_keys_run_in_parallel() {
    let pool = pool(8, 2);
    let strands = pool.strands::<u32>();
    let together = Arc::new(Barrier::new(2));
    for key in [1, 2] {
        let together = Arc::clone(&together);
        strands
            .strand(&key)
            .submit(move || _ = together.wait())
            .unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(strands.len(), 2);
}

#[test]
fn unused_strands_are_removed_over_time() {
    let pool = pool(1, 1);
    let strands = pool.strands::<u32>();
    drop(
        (0..10_000)
            .map(|key| strands.strand(&key))
            .collect::<Vec<_>>(),
    );
    for _ in 0..11_000 {
        drop(strands.strand(&7));
    }
    assert_eq!(strands.len(), 1);
    pool.shutdown().wait().unwrap();
}

/// A key that may panic, or use the map again, when it is hashed.
#[derive(Clone, PartialEq, Eq)]
struct HostileKey(u32);

static PANICS: AtomicBool = AtomicBool::new(false);
static REENTERED: OnceLock<Strands<HostileKey>> = OnceLock::new();

impl Hash for HostileKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if PANICS.load(Ordering::Relaxed) {
            resume_unwind(Box::new("the key"));
        }
        if let Some(strands) = REENTERED.get() {
            let _ = strands.len();
        }
        self.0.hash(state);
    }
}

#[test]
fn hostile_hash_loses_no_strand_and_holds_no_lock() {
    let pool = pool(1, 1);
    let strands = pool.strands::<HostileKey>();
    let kept: Vec<_> = (0..100)
        .map(|key| strands.strand(&HostileKey(key)))
        .collect();
    PANICS.store(true, Ordering::Relaxed);
    for key in 0..1_000 {
        assert!(catch_unwind(|| strands.strand(&HostileKey(key))).is_err());
    }
    PANICS.store(false, Ordering::Relaxed);
    assert!(REENTERED.set(strands.clone()).is_ok());
    for key in 0..1_000 {
        drop(strands.strand(&HostileKey(key % 100)));
    }
    assert_eq!(strands.len(), kept.len());
    pool.shutdown().wait().unwrap();
}
