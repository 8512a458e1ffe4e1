//! A closed pool can be reopened.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anthill::{Pool, SlotError};

use super::kinds::{Anything, Closures, Futures, Kind, Typed};
use super::watch::{MINUTE, Watch, watched};

fn closed_and_opened_again<K: Kind>() {
    let watch = Watch::default();
    let pool: K = watched(Pool::builder().capacity(10), &watch, |_| ());
    pool.submit(1).unwrap();
    pool.pool().shutdown().wait_timeout(MINUTE).unwrap();
    assert_eq!(watch.ended(), 1);
    assert_eq!(pool.submit(1), Err(SlotError::Closed));
    pool.pool().reopen().unwrap();
    pool.submit(1).unwrap();
    pool.pool().shutdown().wait().unwrap();
    assert_eq!((watch.ended(), pool.pool().stats().completed), (2, 2));
}

#[test]
fn reboot_new_pool() {
    closed_and_opened_again::<Closures>();
    closed_and_opened_again::<Futures>();
    closed_and_opened_again::<Anything>();
    closed_and_opened_again::<Typed>();
}

/// The same sum in each of two lives.
fn a_sum_in_each_life(threads: RangeInclusive<usize>) {
    let resident = *threads.start();
    let (watch, sum) = (Watch::default(), Arc::new(AtomicU64::new(0)));
    let builder = Pool::builder().capacity(10).threads(threads);
    let total = Arc::clone(&sum);
    let pool: Closures = watched(builder, &watch, move |n| {
        total.fetch_add(n, Ordering::Relaxed);
    });
    for life in 1..=2 {
        assert!(pool.pool().stats().threads >= resident);
        for n in 0..1_000 {
            pool.submit(n).unwrap();
        }
        pool.pool().shutdown().wait_timeout(MINUTE).unwrap();
        assert_eq!(sum.swap(0, Ordering::Relaxed), 499_500);
        assert_eq!(watch.ended(), life * 1_000);
        pool.pool().reopen().unwrap();
    }
    watch.assert_never_beyond(10);
}

#[test]
fn reboot_new_pool_calc() {
    a_sum_in_each_life(0..=4);
}

#[test]
fn reboot_new_pool_with_pre_alloc_calc() {
    a_sum_in_each_life(4..=4);
}
