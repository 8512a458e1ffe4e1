//! Many more tasks than slots: submitters wait, and every task is run.

use std::sync::{Arc, Barrier};

use anthill::{Builder, Pool};

use super::kinds::{Anything, Kind, Typed};
use super::watch::{Dormitory, Watch, watched};

/// Suspended futures, as many as ants has tasks, in as many slots as ants has goroutines.
fn sleeping_futures(builder: Builder) {
    const TASKS: u64 = 100_000;
    const CAPACITY: usize = 1_000;
    const BEDS: usize = 900;
    let pool = builder.capacity(CAPACITY).build().unwrap();
    let (watch, dormitory) = (Watch::default(), Dormitory::new(BEDS));
    for _ in 0..TASKS {
        let (own, watch, dormitory) = (pool.clone(), watch.clone(), dormitory.clone());
        let task = async move {
            let _inside = watch.enter(&own);
            dormitory.sleep().await;
        };
        pool.spawn(task).unwrap();
    }
    dormitory.wake_all();
    pool.shutdown().wait().unwrap();
    assert!(watch.most() > BEDS);
    watch.assert_never_beyond(CAPACITY);
    assert_eq!(watch.ended(), TASKS);
    let stats = pool.stats();
    assert_eq!(
        (stats.accepted, stats.completed, stats.in_flight),
        (TASKS, TASKS, 0)
    );
}

/// Closures that block, on as many threads as slots: each waits until such closures fill all slots.
fn blocking_closures<K: Kind>(threads: std::ops::RangeInclusive<usize>) {
    const TASKS: u64 = 20_000;
    const CAPACITY: usize = 40;
    let watch = Watch::default();
    let together = Arc::new(Barrier::new(CAPACITY));
    let builder = Pool::builder().capacity(CAPACITY).threads(threads);
    let pool: K = watched(builder, &watch, move |_| _ = together.wait());
    for n in 0..TASKS {
        pool.submit(n).unwrap();
    }
    pool.pool().shutdown().wait().unwrap();
    assert_eq!(watch.most(), CAPACITY);
    watch.assert_never_beyond(CAPACITY);
    assert_eq!(watch.ended(), TASKS);
    assert_eq!(pool.pool().stats().completed, TASKS);
}

#[test]
fn ants_pool_wait_to_get_worker() {
    sleeping_futures(Pool::builder().threads(0..=2));
}

#[test]
fn ants_pool_wait_to_get_worker_pre_malloc() {
    sleeping_futures(Pool::builder().threads(2..=2));
}

#[test]
fn ants_pool_with_func_wait_to_get_worker() {
    blocking_closures::<Anything>(0..=40);
}

#[test]
fn ants_pool_with_func_generic_wait_to_get_worker() {
    blocking_closures::<Typed>(0..=40);
}

#[test]
fn ants_pool_with_func_wait_to_get_worker_pre_malloc() {
    blocking_closures::<Anything>(40..=40);
}

#[test]
fn ants_pool_with_func_generic_wait_to_get_worker_pre_malloc() {
    blocking_closures::<Typed>(40..=40);
}
