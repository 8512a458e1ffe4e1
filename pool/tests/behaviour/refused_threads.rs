//! The system refuses to start threads, and every task still runs.
//!
//! The stack size exceeds any address space, so that every start fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anthill::{BuildError, Pool, SlotError};

use crate::support::yield_now;

fn refused() -> Pool {
    let builder = Pool::builder().capacity(8).threads(0..=2);
    builder.stack_size(1 << 60).build().unwrap()
}

#[test]
fn submitter_runs_the_closure() {
    let pool = refused();
    let (ran, seen) = mpsc::channel();
    pool.submit(move || ran.send(std::thread::current().id()).unwrap())
        .unwrap();
    assert_eq!(seen.recv().unwrap(), std::thread::current().id());
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.in_flight, stats.threads), (1, 0, 0));
    assert!(stats.thread_start_failures > 0);
    pool.shutdown().wait().unwrap();
}

#[test]
fn yielding_future_does_not_grow_the_stack() {
    let pool = refused();
    let ended = Arc::new(AtomicUsize::new(0));
    let end = Arc::clone(&ended);
    pool.spawn(async move {
        for _ in 0..100_000 {
            yield_now().await;
        }
        end.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    pool.shutdown().wait().unwrap();
}

#[test]
fn task_may_submit_another() {
    let pool = refused();
    let (ran, seen) = mpsc::channel();
    let own = pool.clone();
    pool.submit(move || own.submit(move || ran.send(()).unwrap()).unwrap())
        .unwrap();
    seen.recv().unwrap();
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn worker_of_another_pool_stays_a_worker() {
    let pool = refused();
    let other = crate::support::pool(1, 1);
    let (told, seen) = mpsc::channel();
    let own = other.clone();
    other
        .submit(move || {
            pool.submit(|| ()).unwrap();
            // Still known as a worker of its own pool, which is full with this very task.
            told.send(own.submit(|| ())).unwrap();
        })
        .unwrap();
    assert_eq!(seen.recv().unwrap(), Err(SlotError::WouldDeadlock));
}

#[test]
fn worker_that_runs_a_foreign_task_belongs_to_both_pools() {
    let without_threads = refused();
    let full = crate::support::pool(1, 1);
    let (told, seen) = mpsc::channel();
    let own = full.clone();
    full.submit(move || {
        let inner = own.clone();
        let job = move || {
            let waited = inner.submit(|| ());
            told.send((waited, inner.shutdown().wait())).unwrap();
        };
        without_threads.submit(job).unwrap();
    })
    .unwrap();
    let (waited, ended) = seen.recv().unwrap();
    assert_eq!(waited, Err(SlotError::WouldDeadlock));
    assert_eq!(ended, Err(anthill::ShutdownError::FromWorker));
}

#[test]
fn pools_that_submit_to_each_other_do_not_grow_the_stack() {
    fn ping(here: Pool, there: &Pool, left: usize, ended: mpsc::Sender<()>) {
        if left == 0 {
            return ended.send(()).unwrap();
        }
        let next = there.clone();
        there
            .submit(move || ping(next, &here, left - 1, ended))
            .unwrap();
    }
    let (ended, seen) = mpsc::channel();
    ping(refused(), &refused(), 20_000, ended);
    seen.recv().unwrap();
}

#[test]
fn pool_with_a_minimum_of_threads_is_not_built() {
    let refused = Pool::builder().threads(1..=1).stack_size(1 << 60).build();
    assert!(matches!(refused, Err(BuildError::Thread(_))));
}
