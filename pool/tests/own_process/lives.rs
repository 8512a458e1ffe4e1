//! Pools in random use on real threads: discards, waits, scopes and groups inside tasks, strands,
//! subpools, slow hooks and wakers that panic. Each pool ends, and its counters balance.
//!
//! `LIVES_SECONDS` sets how long the test runs. It has a process to itself because it installs a
//! panic hook.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Group, JoinError, Pool, Strand};
use fastrand::Rng;

use crate::child::in_own_process;
use crate::support::{PATIENCE, block_on, yield_now};

/// Panics that no test expects.
static UNEXPECTED: AtomicU64 = AtomicU64::new(0);

/// Installs a panic hook that counts and prints only what no test expects. The default hook would
/// print a backtrace of each expected panic, and the output is kept in memory.
fn install_panic_hook() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        // The panic of a scope in `wait_for_tasks`.
        if !message.is_some_and(|message| message.starts_with("the pool discarded")) {
            UNEXPECTED.fetch_add(1, Ordering::Relaxed);
            print(panic);
        }
    }));
}

/// A waker that panics without calling the panic hook.
fn panicking_waker() -> Waker {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    Arc::new(Panics).into()
}

/// A pool with its subpool, and what a task of it needs.
#[derive(Clone)]
struct Life {
    pool: Pool,
    subpool: Pool,
    strands: [Strand; 2],
    /// How many tasks began.
    begun: Arc<AtomicU64>,
    /// Each task owns a share of it.
    owned: Arc<()>,
}

impl Life {
    fn new(random: &mut Rng) -> Self {
        let slow = random.u64(0..4) == 0;
        let hook = move |_| {
            if slow {
                (0..100).for_each(|_| thread::yield_now());
            }
        };
        let most = 1 + random.usize(0..3);
        let builder = Pool::builder()
            .capacity(2 + random.usize(0..6))
            .threads(random.usize(0..=most)..=most)
            .idle_expiry(Duration::from_millis(random.u64(0..2)))
            .panic_handler(drop)
            .on_thread_start(hook)
            .on_thread_stop(hook);
        let pool = builder.build().unwrap();
        let subpool = pool.subpool().capacity(1 + random.usize(0..3));
        let subpool = subpool.build().unwrap();
        Self {
            strands: [pool.strand(), subpool.strand()],
            pool,
            subpool,
            begun: Arc::default(),
            owned: Arc::new(()),
        }
    }

    fn pool(&self, which: usize) -> &Pool {
        [&self.pool, &self.subpool][which]
    }

    /// A task that itself waits for tasks of the same pool, down to this depth.
    fn task(
        &self,
        which: usize,
        depth: u64,
        random: &mut Rng,
    ) -> impl FnOnce() + Send + 'static + use<> {
        let (life, mut random) = (self.clone(), random.fork());
        move || {
            life.begun.fetch_add(1, Ordering::Relaxed);
            if depth > 0 {
                life.wait_for_tasks(which, depth - 1, &mut random);
            }
            if random.u64(0..16) == 0 {
                std::panic::resume_unwind(Box::new(()));
            }
        }
    }

    /// Waits for tasks by a join, a scope or a group.
    fn wait_for_tasks(&self, which: usize, depth: u64, random: &mut Rng) {
        let pool = self.pool(which);
        match random.u64(0..3) {
            0 => {
                let slot = pool.try_slot();
                if let Ok(slot) = slot {
                    let part = slot.submit_with_handle(self.task(which, depth, random));
                    let ended = part.wait();
                    assert!(matches!(
                        ended,
                        Ok(()) | Err(JoinError::Cancelled | JoinError::Panicked(_))
                    ));
                }
            }
            1 => {
                // The scope resumes the panic of a task, and panics if a task was discarded.
                let _ended = catch_unwind(AssertUnwindSafe(|| {
                    pool.scope(|scope| {
                        for _ in 0..random.u64(0..3) {
                            let _refused = scope.try_submit(self.task(which, depth, random));
                        }
                    });
                }));
            }
            _ => {
                let mut group = Group::new();
                for _ in 0..random.u64(0..3) {
                    if let Ok(slot) = pool.try_slot() {
                        group.push(slot.submit_with_handle(self.task(which, depth, random)));
                    }
                }
                let _ends = group.wait();
            }
        }
    }

    /// One step of a thread outside the pool.
    fn step(&self, random: &mut Rng) {
        let which = random.usize(0..2);
        let (pool, strand) = (self.pool(which), &self.strands[which]);
        let task = self.task(which, 2, random);
        match random.u64(0..24) {
            0 => pool.discard(),
            1 => pool.close(),
            2 => {
                let waker = panicking_waker();
                let mut shutdown = pin!(pool.shutdown());
                let _polled = shutdown.as_mut().poll(&mut Context::from_waker(&waker));
            }
            3 => {
                let waker = panicking_waker();
                let mut slot = pin!(pool.slot());
                let _polled = slot.as_mut().poll(&mut Context::from_waker(&waker));
            }
            4..8 => {
                let _refused = pool.reopen();
            }
            8 => {
                let _refused = block_on(pool.slot()).map(|slot| slot.submit(task));
            }
            9..12 => {
                let _refused = strand.try_submit(task);
            }
            12..14 => {
                let future = async move {
                    yield_now().await;
                    task();
                };
                let _refused = strand.try_spawn(future);
            }
            14..17 => {
                let future = async move {
                    yield_now().await;
                    task();
                };
                if let Ok(slot) = pool.try_slot() {
                    slot.spawn_with_handle(future).cancel();
                }
            }
            17 => self.wait_for_tasks(which, 2, random),
            18 => {
                if let Ok(slot) = pool.try_slot() {
                    slot.submit_with_handle(task).cancel();
                }
            }
            _ => {
                let _refused = pool
                    .slot()
                    .wait_timeout(Duration::from_micros(50))
                    .map(|slot| slot.submit(task));
            }
        }
    }

    /// Ends the life, and checks the books.
    fn end(self) {
        self.subpool.shutdown().wait().unwrap();
        self.pool.shutdown().wait().unwrap();
        let stats = self.pool.stats();
        let ended = stats.completed + stats.panicked + stats.cancelled + stats.discarded;
        let accepted = stats.accepted + self.subpool.stats().accepted;
        assert_eq!(accepted, ended, "{stats:?}");
        let begun = self.begun.load(Ordering::Relaxed);
        assert!(begun <= accepted, "{begun} tasks began of {accepted}");
        let left = (stats.in_flight, stats.waiting, stats.queued, stats.threads);
        assert_eq!(left, (0, 0, 0, 0));
        assert_eq!(self.subpool.in_flight(), 0);
        let Self { owned, pool, .. } = self;
        drop(pool);
        assert_eq!(Arc::strong_count(&owned), 1, "a task was not dropped");
        // The pool contains the panics of tasks, so a failed assertion inside a task shows only here.
        assert_eq!(UNEXPECTED.load(Ordering::Relaxed), 0, "a task panicked");
    }
}

/// Three threads, each of which takes random steps in the same life.
fn live(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let life = Life::new(&mut random);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (life, mut random) = (&life, random.fork());
            scope.spawn(move || {
                for _ in 0..12 {
                    life.step(&mut random);
                }
            });
        }
    });
    life.end();
}

#[test]
fn counters_balance_after_each_random_life() {
    in_own_process("lives::counters_balance_after_each_random_life", || {
        install_panic_hook();
        let seconds = std::env::var("LIVES_SECONDS").map_or(4, |count| count.parse().unwrap());
        let first = std::env::var("LIVES_SEED").map_or(1, |seed| seed.parse().unwrap());
        let (said, heard) = mpsc::channel();
        let lives = thread::spawn(move || {
            let start = Instant::now();
            for seed in first.. {
                said.send(seed).unwrap();
                live(seed);
                if start.elapsed() >= Duration::from_secs(seconds) {
                    return seed;
                }
            }
            unreachable!("there are more seeds than seconds");
        });
        let mut seed = first;
        loop {
            match heard.recv_timeout(PATIENCE) {
                Ok(next) => seed = next,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("life {seed} does not end"),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        let last = lives
            .join()
            .unwrap_or_else(|_| panic!("life {seed} failed"));
        println!("{} lives", last - first + 1);
    });
}
