//! Indexes of workers, and values of their own.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use anthill::{Pool, WorkerLocal, worker_index};

use crate::support::{eventually, pool};

#[test]
fn workers_have_different_indexes() {
    const THREADS: usize = 4;
    let pool = pool(THREADS, THREADS);
    for _ in 0..3 {
        let meet = Arc::new(Barrier::new(THREADS));
        let tasks = (0..THREADS).map(|_| {
            let meet = Arc::clone(&meet);
            let index = move || {
                meet.wait();
                worker_index().unwrap()
            };
            pool.submit_with_handle(index).unwrap()
        });
        let tasks: Vec<_> = tasks.collect();
        let indexes: BTreeSet<_> = tasks.into_iter().map(|task| task.wait().unwrap()).collect();
        assert_eq!(indexes, (0..THREADS).collect());
    }
    assert_eq!(worker_index(), None);
}

#[test]
fn new_thread_gets_the_index_of_an_exited_one() {
    let pool = Pool::builder().threads(0..=1);
    let pool = pool.idle_expiry(Duration::ZERO).build().unwrap();
    for _ in 0..20 {
        let index = pool.submit_with_handle(worker_index).unwrap();
        assert!(index.wait().unwrap().unwrap() <= 1, "one may be exiting");
    }
    pool.shutdown().wait().unwrap();
    pool.reopen().unwrap();
    let index = pool.submit_with_handle(worker_index).unwrap();
    assert_eq!(index.wait().unwrap(), Some(0));
}

/// Counts itself, and stays on its thread.
struct Value {
    live: Arc<AtomicUsize>,
    uses: Rc<Cell<u32>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn value_lives_as_long_as_its_worker() {
    let live = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&live);
    let local = WorkerLocal::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let (live, uses) = (Arc::clone(&count), Rc::default());
        Value { live, uses }
    });
    let pool = Pool::builder().threads(0..=1).worker_local(&local);
    let pool = pool.build().unwrap();
    assert_eq!(live.load(Ordering::SeqCst), 0);
    for uses in 1..=3 {
        let local = local.clone();
        let task = move || {
            local.with(|value| {
                value.uses.set(value.uses.get() + 1);
                value.uses.get()
            })
        };
        let task = pool.submit_with_handle(task).unwrap();
        assert_eq!(task.wait().unwrap(), Some(uses));
    }
    assert_eq!(live.load(Ordering::SeqCst), 1);
    assert!(local.with(|_| ()).is_none(), "this thread is no worker");
    pool.shutdown().wait().unwrap();
    assert_eq!(live.load(Ordering::SeqCst), 0);
    pool.reopen().unwrap();
    let fresh = pool.submit_with_handle(move || local.with(|value| value.uses.get()));
    assert_eq!(fresh.unwrap().wait().unwrap(), Some(0));
}

#[test]
fn values_are_made_and_dropped_between_the_hooks() {
    struct Told(mpsc::Sender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send("drop").unwrap();
        }
    }
    let (said, heard) = mpsc::channel();
    let tell = |what| {
        let said = said.clone();
        move |index| {
            assert_eq!(worker_index(), Some(index));
            said.send(what).unwrap();
        }
    };
    let make = said.clone();
    let local = WorkerLocal::new(move |index| {
        assert_eq!(worker_index(), Some(index));
        make.send("make").unwrap();
        Told(make.clone())
    });
    let pool = Pool::builder()
        .threads(1..=1)
        .on_thread_start(tell("start"))
        .worker_local(&local)
        .on_thread_stop(tell("stop"))
        .build()
        .unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    let log: Vec<_> = heard.try_iter().collect();
    assert_eq!(log, ["start", "make", "drop", "stop"]);
    assert_eq!(pool.stats().handler_panics, 0);
}

#[test]
fn panics_of_values_are_contained_and_counted() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let missing = WorkerLocal::<u8>::new(|_| std::panic::resume_unwind(Box::new(())));
    let bomb = WorkerLocal::new(|_| Bomb);
    let pool = Pool::builder().threads(0..=1);
    let pool = pool
        .worker_local(&missing)
        .worker_local(&bomb)
        .build()
        .unwrap();
    let found = move || (missing.with(|_| ()).is_some(), bomb.with(|_| ()).is_some());
    let found = pool.submit_with_handle(found).unwrap();
    assert_eq!(found.wait().unwrap(), (false, true));
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().handler_panics, 2);
}

#[test]
fn pool_without_the_local_has_no_value() {
    let local = WorkerLocal::new(|index| index);
    let with = Pool::builder().worker_local(&local).build().unwrap();
    let without = pool(1, 1);
    let ask = |pool: &Pool| {
        let local = local.clone();
        let task = pool.submit_with_handle(move || local.with(|_| ()).is_some());
        task.unwrap().wait().unwrap()
    };
    assert_eq!((ask(&with), ask(&without)), (true, false));
    with.shutdown().wait().unwrap();
    eventually(|| with.stats().threads == 0);
}
