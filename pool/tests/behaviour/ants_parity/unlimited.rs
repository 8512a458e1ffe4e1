//! Pools without a limit.

use anthill::{BuildError, Pool};

use super::kinds::{Anything, Kind, Typed};
use super::watch::{Watch, watched};
use crate::support::{Gate, eventually};

/// ants' pool without a limit stays so; this one is tuned. Nor can there be threads without a limit from the beginning.
fn tuned_and_prepared(pool: &Pool) {
    pool.set_capacity(10);
    assert_eq!(pool.capacity(), 10);
    let refused = Pool::builder().threads(usize::MAX..=usize::MAX).build();
    assert!(matches!(refused, Err(BuildError::TooManyThreads { .. })));
}

#[test]
fn infinite_pool() {
    let builder = Pool::builder().capacity(usize::MAX).threads(0..=2);
    let pool = builder.build().unwrap();
    let gate = Gate::new();
    let (own, outer, inner) = (pool.clone(), gate.clone(), gate.waiter());
    pool.submit(move || {
        own.submit(inner).unwrap();
        outer.wait();
    })
    .unwrap();
    eventually(|| pool.stats().running == 2);
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.capacity), (2, usize::MAX));
    assert_eq!(stats.free, usize::MAX - 2);
    tuned_and_prepared(&pool);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

fn two_at_once<K: Kind>() {
    let (watch, gate) = (Watch::default(), Gate::new());
    let builder = Pool::builder().capacity(usize::MAX).threads(0..=2);
    let held = gate.clone();
    let pool: K = watched(builder, &watch, move |_| held.wait());
    pool.submit(10).unwrap();
    pool.submit(10).unwrap();
    let stats = || pool.pool().stats();
    eventually(|| watch.most() == 2);
    assert_eq!((stats().running, stats().in_flight), (2, 2));
    assert_eq!(stats().free, usize::MAX - 2);
    tuned_and_prepared(pool.pool());
    gate.open();
    pool.pool().shutdown().wait().unwrap();
    assert_eq!(watch.ended(), 2);
}

#[test]
fn infinite_pool_with_func() {
    two_at_once::<Anything>();
}

#[test]
fn infinite_pool_with_func_generic() {
    two_at_once::<Typed>();
}
