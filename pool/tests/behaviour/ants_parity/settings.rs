//! Invalid settings, and the rest of what the longest test of ants covers.

use std::ops::RangeInclusive;
use std::time::Duration;

use anthill::{BuildError, Builder, Pool, SlotError};

use super::kinds::{Anything, Closures, Futures, Kind, Typed};
use super::watch::{Watch, watched};

/// A negative expiry and a missing function do not compile. These settings are reported in this order.
fn refused_settings() {
    let refused = |builder: Builder| builder.build().unwrap_err();
    let nothing = Pool::builder().capacity(0).threads(0..=0).name("\0");
    assert!(matches!(refused(nothing.clone()), BuildError::ZeroCapacity));
    let no_threads = nothing.capacity(1);
    assert!(matches!(
        refused(no_threads.clone()),
        BuildError::NoThreads { min: 0, max: 0 }
    ));
    let too_many = no_threads.threads(1..=70_000);
    assert!(matches!(
        refused(too_many.clone()),
        BuildError::TooManyThreads { asked: 70_000, .. }
    ));
    let no_name = too_many.threads(0..=1);
    assert!(matches!(
        refused(no_name.clone()),
        BuildError::InvalidName(_)
    ));
    let all_at_once = no_name
        .name("all options")
        .idle_expiry(Duration::from_secs(10))
        .nonblocking(true)
        .threads(1..=1);
    assert_eq!(all_at_once.build().unwrap().capacity(), 1);
}

/// Many tasks, tuned twice at the end, and one more after the close.
fn tuned_and_closed<K: Kind>(threads: RangeInclusive<usize>) {
    const CAPACITY: usize = 10_000;
    const TASKS: u64 = 100_000;
    let watch = Watch::default();
    let builder = Pool::builder().capacity(CAPACITY).threads(threads);
    let pool: K = watched(builder, &watch, |_| ());
    for n in 0..TASKS {
        pool.submit(n).unwrap();
    }
    pool.pool().set_capacity(CAPACITY);
    assert_eq!(pool.pool().capacity(), CAPACITY);
    pool.pool().set_capacity(CAPACITY / 10);
    let stats = pool.pool().stats();
    assert_eq!(stats.capacity, CAPACITY / 10);
    assert!(stats.free <= CAPACITY / 10);
    pool.pool().shutdown().wait().unwrap();
    assert_eq!(pool.submit(TASKS), Err(SlotError::Closed));
    let stats = pool.pool().stats();
    assert_eq!((stats.completed, stats.rejected_closed), (TASKS, 1));
    assert_eq!((watch.ended(), stats.free), (TASKS, CAPACITY / 10));
    watch.assert_never_beyond(CAPACITY);
}

#[test]
fn rest_code_coverage() {
    refused_settings();
    tuned_and_closed::<Closures>(0..=2);
    tuned_and_closed::<Futures>(0..=2);
    tuned_and_closed::<Anything>(0..=2);
    tuned_and_closed::<Typed>(0..=2);
    // And threads that are there from the beginning.
    tuned_and_closed::<Closures>(2..=2);
    tuned_and_closed::<Futures>(2..=2);
    tuned_and_closed::<Anything>(2..=2);
    tuned_and_closed::<Typed>(2..=2);
}
