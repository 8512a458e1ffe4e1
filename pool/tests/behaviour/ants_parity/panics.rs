//! Panics of tasks, with and without a handler.

use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::mpsc;

use anthill::{Pool, TaskPanic};

use super::kinds::{Anything, Closures, Futures, Kind, Typed};
use super::watch::{Watch, watched};
use crate::support::eventually;

/// Panics without calling the panic hook.
fn oops(_: u64) {
    resume_unwind(Box::new("Oops!"));
}

/// The handler is called once, nothing of the task is left, and no thread was replaced.
fn handled<K: Kind>(threads: RangeInclusive<usize>) {
    let resident = *threads.start();
    let (report, reports) = mpsc::channel();
    let watch = Watch::default();
    let builder = Pool::builder().capacity(10).threads(threads);
    let handler = move |panic: TaskPanic| report.send(panic.message().map(str::to_owned)).unwrap();
    let pool: K = watched(builder.panic_handler(handler), &watch, oops);
    let stats = || pool.pool().stats();
    pool.submit(0).unwrap();
    assert_eq!(reports.recv().unwrap().as_deref(), Some("Oops!"));
    eventually(|| stats().in_flight == 0);
    if resident > 0 {
        let (threads, started) = (stats().threads, stats().threads_started);
        assert_eq!((threads, started), (resident, resident as u64));
    }
    pool.pool().shutdown().wait().unwrap();
    assert!(reports.try_recv().is_err(), "it was called once");
    assert_eq!((stats().panicked, stats().completed), (1, 0));
    assert_eq!(watch.ended(), 1);
}

#[test]
fn panic_handler() {
    handled::<Closures>(0..=10);
    handled::<Futures>(0..=10);
    handled::<Anything>(0..=10);
    handled::<Typed>(0..=10);
}

#[test]
fn panic_handler_pre_malloc() {
    handled::<Closures>(4..=4);
    handled::<Futures>(4..=4);
    handled::<Anything>(4..=4);
    handled::<Typed>(4..=4);
}

/// The process and the pool continue.
fn survived<K: Kind>(threads: RangeInclusive<usize>) {
    let watch = Watch::default();
    let builder = Pool::builder().capacity(10).threads(threads);
    let pool: K = watched(builder, &watch, |argument| {
        if argument == 0 {
            oops(argument);
        }
    });
    for n in 0..20 {
        pool.submit(n % 2).unwrap();
    }
    pool.pool().shutdown().wait().unwrap();
    let stats = pool.pool().stats();
    assert_eq!((stats.panicked, stats.completed), (10, 10));
    assert_eq!((stats.in_flight, watch.ended()), (0, 20));
    watch.assert_never_beyond(10);
}

#[test]
fn pool_panic_without_handler() {
    survived::<Closures>(0..=10);
    survived::<Futures>(0..=10);
    survived::<Anything>(0..=10);
    survived::<Typed>(0..=10);
}

#[test]
fn pool_panic_without_handler_pre_malloc() {
    survived::<Closures>(10..=10);
    survived::<Futures>(10..=10);
    survived::<Anything>(10..=10);
    survived::<Typed>(10..=10);
}
