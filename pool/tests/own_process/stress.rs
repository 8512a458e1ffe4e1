//! Everything at once on real threads: tasks of every kind, panics, tuning, expiry, dropped waits.
//! Afterwards every accepted task has ended exactly once, and no slot, capture, thread or memory has
//! leaked.
//!
//! `STRESS_ROUNDS` makes it longer; a round is 400,000 tasks. It has a process to itself because it
//! measures the threads and the memory of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anthill::{Group, JoinError, Pool, RunError, SlotError, Strand};
use fastrand::Rng;

use crate::child::in_own_process;
use crate::support::{block_on, eventually, yield_now};

const SUBMITTERS: u64 = 4;
const TASKS: u64 = 100_000;
const MOST: usize = 16;

/// What became of the tasks, counted from outside.
#[derive(Default)]
struct Books {
    accepted: AtomicU64,
    ran: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    beyond: AtomicU64,
    /// Every task owns a share of it.
    owned: Arc<()>,
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// One task of a random kind, by a random way in.
fn submit(pool: &Pool, strand: &Strand, books: &Arc<Books>, random: &mut Rng) {
    let ends = {
        let books = Arc::clone(books);
        let owned = Arc::clone(&books.owned);
        let panics = random.u64(0..16) == 0;
        move || {
            let _ = &owned;
            if panics {
                add(&books.panicked);
                // Panics without calling the panic hook.
                std::panic::resume_unwind(Box::new(()));
            }
            add(&books.ran);
        }
    };
    let yields = random.u64(0..4);
    let future = {
        let ends = ends.clone();
        async move {
            for _ in 0..yields {
                yield_now().await;
            }
            ends();
        }
    };
    let refused = match random.u64(0..12) {
        0 => pool.submit(ends),
        1 => pool.try_submit(ends).map_err(SlotError::from),
        2 => pool
            .slot()
            .wait_timeout(Duration::from_micros(random.u64(0..200)))
            .map(|slot| slot.submit(ends)),
        3 => block_on(pool.slot()).map(|slot| slot.named("named").submit(ends)),
        4 => pool.spawn(future),
        5 => strand.submit(ends),
        6 => strand.spawn(future),
        7 => match pool.submit_with_handle(ends) {
            Ok(handle) => {
                if handle.cancel() {
                    assert!(matches!(handle.wait(), Err(JoinError::Cancelled)));
                    add(&books.cancelled);
                }
                Ok(())
            }
            Err(refused) => Err(refused),
        },
        8 => pool.spawn_with_handle(future).map(|handle| {
            let mut group = Group::new();
            group.push(handle);
            assert_eq!(group.wait().into_vec().len(), 1);
        }),
        9 => {
            // The scope resumes a panic of the task.
            let scope = || pool.scope(|scope| scope.submit(ends));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(scope)).unwrap_or(Ok(()))
        }
        10 => match pool.run(ends).wait() {
            Ok(()) | Err(RunError::Task(JoinError::Panicked(_))) => Ok(()),
            Err(RunError::Slot(refused)) => Err(refused),
            Err(error) => panic!("no task was cancelled: {error}"),
        },
        _ => match pool.spawn_with_handle(future) {
            Ok(handle) => match handle.wait() {
                Ok(()) | Err(JoinError::Panicked(_)) => Ok(()),
                Err(error) => panic!("no task was cancelled: {error}"),
            },
            Err(refused) => Err(refused),
        },
    };
    match refused {
        Ok(()) => add(&books.accepted),
        Err(SlotError::Full | SlotError::Timeout) => {}
        Err(error) => panic!("the pool is open and this is no worker: {error}"),
    }
}

/// One pool from its beginning to its end.
fn round(seed: u64) {
    let builder = Pool::builder()
        .capacity(MOST)
        .threads(0..=3)
        .idle_expiry(Duration::ZERO);
    let pool = builder.panic_handler(drop).build().unwrap();
    let books = Arc::new(Books::default());
    thread::scope(|scope| {
        let submitters: Vec<_> = (1..=SUBMITTERS)
            .map(|submitter| {
                let (pool, books) = (&pool, &books);
                scope.spawn(move || {
                    let seed = seed * SUBMITTERS + submitter;
                    let mut random = Rng::with_seed(seed);
                    let strand = pool.strand();
                    for _ in 0..TASKS {
                        submit(pool, &strand, books, &mut random);
                    }
                })
            })
            .collect();
        let mut random = Rng::with_seed(seed + 7);
        while !submitters.iter().all(ScopedJoinHandle::is_finished) {
            pool.set_capacity(1 + random.usize(0..MOST));
            if pool.in_flight() > MOST {
                add(&books.beyond);
            }
            pool.set_threads(0..=1 + random.usize(0..3)).unwrap();
            thread::yield_now();
        }
    });
    pool.shutdown().wait().unwrap();

    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let stats = pool.stats();
    assert!(stats.accepted > SUBMITTERS * TASKS / 2, "most are accepted");
    assert_eq!(stats.accepted, count(&books.accepted));
    assert_eq!(stats.completed, count(&books.ran));
    assert_eq!(stats.panicked, count(&books.panicked));
    assert_eq!(stats.cancelled, count(&books.cancelled));
    assert_eq!(
        stats.accepted,
        stats.completed + stats.panicked + stats.cancelled
    );
    assert_eq!(
        (stats.in_flight, stats.waiting, stats.queued, stats.threads),
        (0, 0, 0, 0)
    );
    assert_eq!(
        count(&books.beyond),
        0,
        "more in flight than the capacity ever was"
    );
    assert_eq!(Arc::strong_count(&books.owned), 1, "a task was not dropped");
}

/// Returns the number of threads and the resident bytes of the process, where the system provides them.
fn footprint() -> Option<(usize, usize)> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?.count();
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some((threads, pages * 4096))
}

#[test]
fn counters_balance_and_nothing_leaks() {
    in_own_process("stress::counters_balance_and_nothing_leaks", || {
        let rounds = std::env::var("STRESS_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
        let (threads, _) = footprint().unwrap_or_default();
        round(0);
        let (_, memory) = footprint().unwrap_or_default();
        for seed in 1..rounds {
            round(seed);
        }
        let Some((_, after)) = footprint() else {
            return;
        };
        // A thread is gone for its pool a little before it is for the system.
        eventually(|| footprint().unwrap().0 <= threads);
        // The allocator keeps some; a few bytes lost for each task would be ten times as many.
        assert!(
            after < memory + (8 << 20),
            "{memory} bytes grew to {after} from one round to {rounds}"
        );
    });
}
