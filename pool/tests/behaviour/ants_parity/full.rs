//! A full pool that refuses, and a full pool with a limit of waiting submitters.

use std::thread;

use anthill::{Builder, Pool, SlotError};

use super::kinds::{Anything, Closures, Kind, Typed};
use super::watch::{Watch, watched};
use crate::support::{Gate, eventually};

const SIZE: usize = 10;
/// Tasks that run until the end of the test, and tasks that end earlier.
const LONG: u64 = 0;
const SHORT: u64 = 1;

/// Returns a full pool with nine long tasks and a short task, and the gates of both.
fn full<K: Kind>(builder: Builder) -> (K, Watch, [Gate; 2]) {
    let (watch, gates) = (Watch::default(), [Gate::new(), Gate::new()]);
    let held = gates.clone();
    let builder = builder.capacity(SIZE).threads(0..=SIZE);
    let pool: K = watched(builder, &watch, move |which| {
        held[usize::try_from(which).unwrap()].wait();
    });
    for _ in 1..SIZE {
        pool.submit(LONG).unwrap();
    }
    pool.submit(SHORT).unwrap();
    assert_eq!(pool.pool().in_flight(), SIZE);
    (pool, watch, gates)
}

/// Opens the gate of the long tasks. All eleven end, and one submit was refused.
fn eleven_of_twelve<K: Kind>(pool: &K, watch: &Watch, long: &Gate) {
    long.open();
    pool.pool().shutdown().wait().unwrap();
    let stats = pool.pool().stats();
    assert_eq!((stats.completed, stats.rejected_full), (11, 1));
    assert_eq!(watch.ended(), 11);
    watch.assert_never_beyond(SIZE);
}

fn refuses_when_full<K: Kind>() {
    let (pool, watch, [long, short]) = full::<K>(Pool::builder().nonblocking(true));
    assert_eq!(pool.submit(SHORT), Err(SlotError::Full));
    short.open();
    eventually(|| pool.pool().in_flight() == SIZE - 1);
    pool.submit(SHORT).unwrap();
    eleven_of_twelve(&pool, &watch, &long);
}

fn lets_one_wait<K: Kind>() {
    let (pool, watch, [long, short]) = full::<K>(Pool::builder().max_waiting(1));
    thread::scope(|scope| {
        let waits = scope.spawn(|| pool.submit(SHORT));
        eventually(|| pool.pool().stats().waiting == 1);
        assert_eq!(pool.submit(SHORT), Err(SlotError::Full));
        assert!(!waits.is_finished());
        short.open();
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
    eleven_of_twelve(&pool, &watch, &long);
}

#[test]
fn nonblocking_submit() {
    refuses_when_full::<Closures>();
}

#[test]
fn nonblocking_submit_with_func() {
    refuses_when_full::<Anything>();
}

#[test]
fn nonblocking_submit_with_func_generic() {
    refuses_when_full::<Typed>();
}

#[test]
fn max_blocking_submit() {
    lets_one_wait::<Closures>();
}

#[test]
fn max_blocking_submit_with_func() {
    lets_one_wait::<Anything>();
}

#[test]
fn max_blocking_submit_with_func_generic() {
    lets_one_wait::<Typed>();
}
