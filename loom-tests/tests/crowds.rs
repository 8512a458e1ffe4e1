//! Eight workers and eight submitters on the real crossbeam-deque. They have too many schedules for loom, so shuttle
//! runs each model under many random schedules. The books must balance: every accepted task ran once, within the
//! capacity, and before shutdown returned.
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

/// What happened, counted outside of the pool. The engine does not see these counters, so they add no schedules.
#[derive(Clone, Default)]
struct Books {
    accepted: Record,
    full: Record,
    timeout: Record,
    closed: Record,
    completed: Record,
    panicked: Record,
    cancelled: Record,
    /// The number of tasks that run now, and the most that have run at once.
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

/// Counts a running task until it is dropped.
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

    /// Counts a result. `reason` is the only error allowed besides `Closed`.
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

    /// Counts the result of a call that waits for a slot without a limit.
    fn note_patient(&self, result: Result<(), SlotError>) {
        self.note(result, None);
    }

    /// Submits a random kind of task by a random method.
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

    /// Asserts after the end that the pool counted what happened.
    fn balance(&self, pool: &Pool) {
        let stats = pool.stats();
        let (full, timeout, closed) = (&self.full, &self.timeout, &self.closed);
        let returned = [&self.accepted, full, timeout, closed].map(Record::count);
        assert_eq!(returned.iter().sum::<usize>(), 2 * SUBMITTERS);
        let counted = [
            stats.accepted,
            stats.rejected_full,
            stats.rejected_timeout,
            stats.rejected_closed,
        ];
        assert_eq!(counted, returned.map(|count| count as u64));
        assert_eq!(stats.rejected_would_deadlock, 0);
        assert_eq!(
            stats.accepted,
            stats.completed + stats.panicked + stats.cancelled
        );
        assert_eq!(stats.completed, self.completed.count() as u64);
        assert_eq!(stats.panicked, self.panicked.count() as u64);
        assert_eq!(stats.cancelled, self.cancelled.count() as u64);
        assert_eq!((stats.in_flight, stats.queued, stats.waiting), (0, 0, 0));
        // A worker whose start was under way when the pool ended leaves at once.
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

/// Starts the submitters. Each submits two tasks.
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

/// Closes the pool after the last submit, so that no submit is refused as closed.
fn end(pool: &Pool, books: &Books, submitters: Vec<JoinHandle<()>>) {
    join(submitters);
    pool.shutdown().wait().unwrap();
    books.balance(pool);
    assert_eq!(books.closed.count(), 0);
}

#[test]
fn every_kind_of_task_is_accounted_for() {
    check(|| {
        let (pool, books) = (build(keeping(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

#[test]
fn expiring_workers_lose_no_task() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

fn resize(pool: &Pool) {
    for _ in 0..3 {
        pool.set_capacity(thread_rng().gen_range(1..=CAPACITY));
        let most = thread_rng().gen_range(1..=WORKERS);
        pool.set_threads(0..=most).unwrap();
    }
}

#[test]
fn resizing_loses_no_task() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        resize(&pool);
        end(&pool, &books, submitters);
    });
}

#[test]
fn resizing_and_closing_lose_no_task() {
    check(|| {
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        let submitters = submitters(&pool, &books);
        resize(&pool);
        pool.shutdown().wait().unwrap();
        join(submitters);
        books.balance(&pool);
    });
}

#[test]
fn refused_thread_starts_lose_no_task() {
    check(|| {
        let first = thread_rng().gen_range(0..WORKERS);
        let count = thread_rng().gen_range(1..=2 * WORKERS);
        refuse_thread_starts(first..first + count);
        let (pool, books) = (build(expiring(0..=WORKERS)), Books::default());
        end(&pool, &books, submitters(&pool, &books));
    });
}

#[test]
fn reopening_loses_no_task() {
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

/// Submits twice to a random subpool: a closure, a future, or one of each.
fn submit_to_any(subpools: &[(Pool, Books, Books)]) {
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
fn subpools_of_each_priority_lose_no_task() {
    check(|| {
        let pool = build(expiring(0..=2));
        let subpool = |priority| {
            let subpool = pool.subpool().capacity(CAPACITY).priority(priority);
            // Closures of the lowest priority run one at a time.
            let subpool = match priority {
                Priority::Low => subpool.threads(1),
                _ => subpool,
            };
            (subpool.build().unwrap(), Books::default(), Books::default())
        };
        let subpools = [Priority::High, Priority::Normal, Priority::Low].map(subpool);
        let one = || {
            let subpools = subpools.clone();
            move || submit_to_any(&subpools)
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
        let [_, _, (_, lowest, _)] = &subpools;
        assert!(lowest.running.1.load(Ordering::SeqCst) <= 1);
    });
}
