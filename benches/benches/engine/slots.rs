//! Slots: reserving and using one.

use std::hint::black_box;

use anthill::Pool;
use criterion::Criterion;

use crate::held::HeldPool;
use crate::timing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slots");
    timing::add(
        &mut group,
        "reserve_and_submit",
        HeldPool::new,
        |held, iters| {
            held.time_enqueue(iters, || {
                let slot = held.pool.slot().wait().expect("the pool is open");
                let number = black_box(1_u64);
                slot.submit(move || {
                    black_box(number);
                });
            })
        },
    );
    timing::add(&mut group, "reserve_and_drop", unused, |pool, iters| {
        timing::steps(iters, || {
            drop(pool.slot().wait().expect("the pool is open"));
        })
    });
    group.finish();
}

/// A pool without tasks.
fn unused() -> Pool {
    Pool::builder().build().expect("valid settings")
}
