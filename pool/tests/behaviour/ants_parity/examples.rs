//! ants' examples: each sums the numbers from 0 to 999.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anthill::{Balance, MultiPool, Pool};

use super::kinds::{Anything, Closures, Futures, Kind, Typed};
use super::multi_pool::Way;
use super::watch::{MINUTE, Watch, watched};

const SUM: u64 = 499_500;

fn sums<K: Kind>(capacity: usize) {
    let (watch, sum) = (Watch::default(), Arc::new(AtomicU64::new(0)));
    let total = Arc::clone(&sum);
    let pool: K = watched(Pool::builder().capacity(capacity), &watch, move |n| {
        total.fetch_add(n, Ordering::Relaxed);
    });
    for n in 0..1_000 {
        pool.submit(n).unwrap();
    }
    pool.pool().shutdown().wait().unwrap();
    assert_eq!((sum.load(Ordering::Relaxed), watch.ended()), (SUM, 1_000));
    watch.assert_never_beyond(capacity);
}

#[test]
fn example_pool() {
    sums::<Closures>(usize::MAX);
    sums::<Closures>(10);
    sums::<Futures>(10);
}

#[test]
fn example_pool_with_func() {
    sums::<Anything>(10);
}

#[test]
fn example_pool_with_func_generic() {
    sums::<Typed>(10);
}

fn sums_in_shards(way: Way) {
    let (watch, sum) = (Watch::default(), Arc::new(AtomicU64::new(0)));
    let builder = Pool::builder().capacity(100).threads(0..=1);
    let pool: MultiPool = builder.build_multi(10, Balance::RoundRobin).unwrap();
    for n in 0..1_000 {
        let (own, watch, sum) = (pool.clone(), watch.clone(), Arc::clone(&sum));
        let task = move || {
            let _inside = watch.enter(&own);
            sum.fetch_add(n, Ordering::Relaxed);
        };
        way.submit(&pool, task).unwrap();
    }
    pool.shutdown().wait_timeout(MINUTE).unwrap();
    assert_eq!((sum.load(Ordering::Relaxed), watch.ended()), (SUM, 1_000));
    watch.assert_never_beyond(1_000);
    let each = pool.shards().iter().map(|shard| shard.stats().completed);
    assert!(each.into_iter().all(|completed| completed == 100));
}

#[test]
fn example_multi_pool() {
    sums_in_shards(Way::Closure);
}

#[test]
fn example_multi_pool_with_func() {
    sums_in_shards(Way::WithHandle);
}

#[test]
fn example_multi_pool_with_func_generic() {
    sums_in_shards(Way::Future);
}
