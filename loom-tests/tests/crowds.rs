//! Eight workers and eight submitters, on the real crossbeam-deque: too many for all schedules, so each model is run
//! under many that chance chooses. Here the books must balance: what was accepted ran once, within the capacity, and
//! all of it before the end.
#![cfg(anthill_shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anthill::{Builder, JoinError, Pool, Strand, SubmitError, refuse_thread_starts};
use loom_tests::{Record, check, expiring, keeping};
use shuttle::future::{block_on, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};

const WORKERS: usize = 8;
const SUBMITTERS: usize = 8;
const CAPACITY: usize = 3;

/// What happened, counted outside of the pool. None of it is seen by the engine, so counting adds no schedules.
#[derive(Clone, Default)]
struct Books {
    accepted: Record,
    refused: Record,
    completed: Record,
    panicked: Record,
    cancelled: Record,
    /// How many run now, and how many have run at once at the most.
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

/// One that runs, until it is dropped.
struct Running(Books);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Books {
    fn run(&self) -> Running {
        let (now, most) = &*self.running;
        let now = now.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        Running(self.clone())
    }

    fn closure(&self) -> impl FnOnce() + Send + 'static + use<> {
        let books = self.clone();
        move || {
            let _running = books.run();
            thread::yield_now();
            books.completed.add();
        }
    }

    fn future(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let books = self.clone();
        async move {
            let _running = books.run();
            yield_now().await;
            books.completed.add();
        }
    }

    fn note<T>(&self, result: Result<(), SubmitError<T>>) {
        match result.map_err(SubmitError::without_task) {
            Ok(()) => self.accepted.add(),
            Err(SubmitError::Full(()) | SubmitError::Timeout(()) | SubmitError::Closed(())) => {
                self.refused.add();
            }
            Err(error) => panic!("no reason to refuse: {error}"),
        }
    }

    /// One task of a random kind by a random way in.
    fn submit(&self, pool: &Pool, strand: &Strand) {
        match thread_rng().gen_range(0..10) {
            0 => self.note(pool.submit(self.closure())),
            1 => self.note(pool.try_submit(self.closure())),
            2 => self.note(pool.submit_timeout(self.closure(), Duration::ZERO)),
            3 => self.note(block_on(pool.submit_async(self.closure()))),
            4 => self.note(pool.spawn(self.future())),
            5 => self.note(block_on(pool.spawn_async(self.future()))),
            6 => self.note(strand.submit(self.closure())),
            7 => self.note(strand.spawn(self.future())),
            8 => self.note(pool.submit(self.panicked.panicking())),
            _ => match pool.spawn_with_handle(self.future()) {
                Ok(handle) => {
                    self.accepted.add();
                    if thread_rng().gen_ratio(1, 2) && handle.cancel() {
                        self.cancelled.add();
                        assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
                    } else {
                        handle.join().unwrap();
                    }
                }
                refused => self.note(refused.map(|_| ())),
            },
        }
    }

    /// What is left to say when all is over.
    fn balance(&self, pool: &Pool) {
        let stats = pool.stats();
        assert_eq!(stats.accepted, self.accepted.count() as u64);
        assert_eq!(
            stats.accepted,
            stats.completed + stats.panicked + stats.cancelled
        );
        assert_eq!(stats.completed, self.completed.count() as u64);
        assert_eq!(stats.panicked, self.panicked.count() as u64);
        assert_eq!(stats.cancelled, self.cancelled.count() as u64);
        assert_eq!((stats.in_flight, stats.queued, stats.waiting), (0, 0, 0));
        // One that was about to be started when the pool ended finds that, and leaves.
        while pool.stats().threads > 0 {
            thread::yield_now();
        }
        assert!(self.running.1.load(Ordering::SeqCst) <= CAPACITY);
    }
}

fn build(builder: Builder) -> Pool {
    let builder = builder.capacity(CAPACITY);
    builder.panic_handler(drop).build().unwrap()
}

/// Each submitter brings two tasks.
fn submitters(pool: &Pool, books: &Books) -> Vec<JoinHandle<()>> {
    let one = || {
        let (pool, books) = (pool.clone(), books.clone());
        move || {
            let strand = pool.strand();
            for _ in 0..2 {
                books.submit(&pool, &strand);
            }
        }
    };
    (0..SUBMITTERS).map(|_| thread::spawn(one())).collect()
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn all_kinds_of_tasks() {
    check(|| {
        let (pool, books) = (build(keeping(WORKERS)), Books::default());
        join(submitters(&pool, &books));
        pool.shutdown().unwrap();
        books.balance(&pool);
        assert_eq!(
            books.accepted.count() + books.refused.count(),
            2 * SUBMITTERS
        );
    });
}

#[test]
fn workers_that_expire_whenever_they_sleep() {
    check(|| {
        let (pool, books) = (build(expiring(WORKERS)), Books::default());
        join(submitters(&pool, &books));
        pool.shutdown().unwrap();
        books.balance(&pool);
    });
}

#[test]
fn tuned_and_closed_meanwhile() {
    check(|| {
        let (pool, books) = (build(expiring(WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        for _ in 0..3 {
            pool.tune(thread_rng().gen_range(1..=CAPACITY));
            let most = thread_rng().gen_range(1..=WORKERS);
            pool.tune_threads(0..=most).unwrap();
        }
        pool.shutdown().unwrap();
        join(submitters);
        books.balance(&pool);
    });
}

#[test]
fn threads_that_do_not_start() {
    check(|| {
        let first = thread_rng().gen_range(0..WORKERS);
        let count = thread_rng().gen_range(1..=2 * WORKERS);
        refuse_thread_starts(first..first + count);
        let (pool, books) = (build(expiring(WORKERS)), Books::default());
        join(submitters(&pool, &books));
        pool.shutdown().unwrap();
        books.balance(&pool);
    });
}

#[test]
fn a_life_after_the_end() {
    check(|| {
        let (pool, books) = (build(keeping(WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        pool.shutdown().unwrap();
        pool.reopen().unwrap();
        join(submitters);
        pool.shutdown().unwrap();
        books.balance(&pool);
    });
}
