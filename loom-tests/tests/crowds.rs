//! Eight workers and eight submitters, on the real crossbeam-deque: too many for all schedules, so each model is run
//! under many that chance chooses. Here the books must balance: what was accepted ran once, within the capacity, and
//! all of it before the end.
#![cfg(anthill_shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anthill::{Builder, JoinError, Pool, Priority, SlotError, Strand, refuse_thread_starts};
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
    full: Record,
    timeout: Record,
    closed: Record,
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

    /// Besides for a close, it may have been refused for the one reason that there is for its way in, if any.
    fn note(&self, result: Result<(), impl Into<SlotError>>, reason: Option<SlotError>) {
        match result.map_err(Into::into) {
            Ok(()) => self.accepted.add(),
            Err(SlotError::Closed) => self.closed.add(),
            Err(error) => {
                assert_eq!(Some(error), reason, "no reason to refuse");
                match error {
                    SlotError::Full => self.full.add(),
                    _ => self.timeout.add(),
                }
            }
        }
    }

    /// It was ready to wait until it gets in.
    fn note_patient(&self, result: Result<(), SlotError>) {
        self.note(result, None);
    }

    /// One task of a random kind by a random way in.
    fn submit(&self, pool: &Pool, strand: &Strand) {
        match thread_rng().gen_range(0..10) {
            0 => self.note_patient(pool.submit(self.closure())),
            1 => self.note(pool.try_submit(self.closure()), Some(SlotError::Full)),
            2 => self.note(
                pool.slot()
                    .wait_timeout(Duration::ZERO)
                    .map(|slot| slot.submit(self.closure())),
                Some(SlotError::Timeout),
            ),
            3 => self.note_patient(block_on(pool.slot()).map(|slot| slot.submit(self.closure()))),
            4 => self.note_patient(pool.spawn(self.future())),
            5 => self.note_patient(block_on(pool.slot()).map(|slot| slot.spawn(self.future()))),
            6 => self.note_patient(strand.submit(self.closure())),
            7 => self.note_patient(strand.spawn(self.future())),
            8 => self.note_patient(pool.submit(self.panicked.panicking())),
            _ => match pool.spawn_with_handle(self.future()) {
                Ok(handle) => {
                    self.accepted.add();
                    if thread_rng().gen_ratio(1, 2) && handle.cancel() {
                        self.cancelled.add();
                        assert!(matches!(handle.wait(), Err(JoinError::Cancelled)));
                    } else {
                        handle.wait().unwrap();
                    }
                }
                refused => self.note_patient(refused.map(|_| ())),
            },
        }
    }

    /// What is left to say when all is over.
    fn balance(&self, pool: &Pool) {
        let stats = pool.stats();
        let (full, timeout, closed) = (&self.full, &self.timeout, &self.closed);
        let told = [&self.accepted, full, timeout, closed].map(Record::count);
        assert_eq!(told.iter().sum::<usize>(), 2 * SUBMITTERS);
        let counted = [
            stats.accepted,
            stats.rejected_full,
            stats.rejected_timeout,
            stats.rejected_closed,
        ];
        assert_eq!(counted, told.map(|count| count as u64));
        assert_eq!(stats.rejected_would_deadlock, 0);
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

/// Closes the pool after the last submit, so that nobody is refused because of it.
fn end(pool: &Pool, books: &Books, submitters: Vec<JoinHandle<()>>) {
    join(submitters);
    pool.shutdown().wait().unwrap();
    books.balance(pool);
    assert_eq!(books.closed.count(), 0);
}

#[test]
fn all_kinds_of_tasks() {
    check(|| {
        let (pool, books) = (build(keeping(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

#[test]
fn workers_that_expire_whenever_they_sleep() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

fn tune(pool: &Pool) {
    for _ in 0..3 {
        pool.set_capacity(thread_rng().gen_range(1..=CAPACITY));
        let most = thread_rng().gen_range(1..=WORKERS);
        pool.set_threads(0..=most).unwrap();
    }
}

#[test]
fn tuned_meanwhile() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        tune(&pool);
        end(&pool, &books, submitters);
    });
}

#[test]
fn tuned_and_closed_meanwhile() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        tune(&pool);
        pool.shutdown().wait().unwrap();
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
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

#[test]
fn a_life_after_the_end() {
    check(|| {
        let (pool, books) = (build(keeping(0..=WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        pool.shutdown().wait().unwrap();
        pool.reopen().unwrap();
        join(submitters);
        pool.shutdown().wait().unwrap();
        books.balance(&pool);
    });
}

/// Two tasks for subpools that chance chooses: a closure, a future, or one of each.
fn submit_beside(subpools: &[(Pool, Books, Books)]) {
    for _ in 0..2 {
        let (subpool, closures, futures) = &subpools[thread_rng().gen_range(0..subpools.len())];
        match thread_rng().gen_range(0..4) {
            0 => subpool.submit(closures.closure()).unwrap(),
            1 => subpool.spawn(futures.future()).unwrap(),
            2 => subpool.strand().submit(closures.closure()).unwrap(),
            _ => {
                let future = subpool.spawn_with_handle(futures.future()).unwrap();
                subpool.submit(closures.closure()).unwrap();
                closures.accepted.add();
                future.wait().unwrap();
            }
        }
        closures.accepted.add();
    }
}

#[test]
fn subpools_of_each_priority() {
    check(|| {
        let pool = build(expiring(0..=2));
        let subpool = |priority| {
            let subpool = pool.subpool().capacity(CAPACITY).priority(priority);
            // Of the least urgent closures one runs at a time.
            let subpool = match priority {
                Priority::Low => subpool.threads(1),
                _ => subpool,
            };
            (subpool.build().unwrap(), Books::default(), Books::default())
        };
        let subpools = [Priority::High, Priority::Normal, Priority::Low].map(subpool);
        let one = || {
            let subpools = subpools.clone();
            move || submit_beside(&subpools)
        };
        join((0..SUBMITTERS).map(|_| thread::spawn(one())).collect());
        pool.shutdown().wait().unwrap();
        let (mut accepted, mut completed) = (0, 0);
        for (subpool, closures, futures) in &subpools {
            accepted += closures.accepted.count();
            completed += closures.completed.count() + futures.completed.count();
            assert_eq!(subpool.in_flight(), 0);
            assert!(futures.running.1.load(Ordering::SeqCst) <= CAPACITY);
        }
        assert_eq!(
            (accepted, pool.stats().completed),
            (completed, completed as u64)
        );
        let [_, _, (_, least_urgent, _)] = &subpools;
        assert!(least_urgent.running.1.load(Ordering::SeqCst) <= 1);
    });
}
