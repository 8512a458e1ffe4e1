//! Steps that several models share.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use anthill::Pool;
use loom::sync::mpsc::{Receiver, Sender, channel};
use loom::thread::JoinHandle;

use crate::{Record, other};

/// Runs `f` with a handle of the pool on another thread of the model.
pub fn beside<T: 'static>(pool: &Pool, f: impl FnOnce(&Pool) -> T + 'static) -> JoinHandle<T> {
    let pool = pool.clone();
    other(move || f(&pool))
}

/// Submits a task that blocks until the returned sender sends.
///
/// # Panics
///
/// If the pool is closed.
#[must_use]
pub fn held_up(pool: &Pool) -> Sender<()> {
    let (go, wait) = channel();
    pool.submit(move || wait.recv().unwrap()).unwrap();
    go
}

/// Submits a task that sends once it runs, and blocks until the returned sender sends.
///
/// # Panics
///
/// If the pool is closed.
#[must_use]
pub fn busy(pool: &Pool) -> (Receiver<()>, Sender<()>) {
    let (begin, begun) = channel();
    let (go, wait) = channel();
    pool.submit(move || {
        begin.send(()).unwrap();
        wait.recv().unwrap();
    })
    .unwrap();
    (begun, go)
}

/// Polls with a waker that does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Submits two tasks from one thread, shuts the pool down, and asserts that each ran once.
///
/// # Panics
///
/// If a task has not run once.
pub fn run_two_in_a_row(pool: &Pool) {
    let ran = Record::new();
    pool.submit(ran.task()).unwrap();
    pool.submit(ran.task()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(ran.count(), 2);
}

/// Submits two tasks from two threads at once, and asserts that each ran once. How the pool shuts down after them is not
/// explored.
///
/// # Panics
///
/// If a task has not run once.
pub fn run_two_at_once(pool: &Pool) {
    let (ran, (done, ended)) = (Record::new(), channel());
    let (first, second, done_too) = (ran.task(), ran.task(), done.clone());
    let submitter = beside(pool, move |pool| {
        let task = move || {
            first();
            done.send(()).unwrap();
        };
        pool.submit(task).unwrap();
    });
    let task = move || {
        second();
        done_too.send(()).unwrap();
    };
    pool.submit(task).unwrap();
    submitter.join().unwrap();
    ended.recv().unwrap();
    ended.recv().unwrap();
    loom::stop_exploring();
    pool.shutdown().wait().unwrap();
    assert_eq!(ran.count(), 2);
}
