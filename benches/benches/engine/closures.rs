//! Closures: submitting, being refused, running.

use std::hint::black_box;
use std::time::Instant;

use anthill::{Pool, Slot};
use criterion::Criterion;

use crate::held::HeldPool;
use crate::timing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("closures");
    timing::add(&mut group, "submit", HeldPool::new, |held, iters| {
        held.time_enqueue(iters, || submit(&held.pool))
    });
    timing::add(&mut group, "try_submit", HeldPool::new, |held, iters| {
        held.time_enqueue(iters, || {
            held.pool.try_submit(task()).expect("there is room");
        })
    });
    timing::add(
        &mut group,
        "try_submit_refused",
        full,
        |(pool, _), iters| {
            timing::steps(iters, || {
                black_box(pool.try_submit(task()).is_err());
            })
        },
    );
    timing::add(&mut group, "run", HeldPool::new, |held, iters| {
        held.time_run(
            iters,
            || submit(&held.pool),
            |last| {
                let last = move || _ = last.send(Instant::now());
                held.pool.submit(last).expect("the pool is open");
            },
        )
    });
    group.finish();
}

/// A pool whose only slot is in use.
fn full() -> (Pool, Slot<'static>) {
    let builder = Pool::builder().capacity(1).threads(1..=1);
    let pool = builder.build().expect("valid settings");
    let slot = pool.slot().wait().expect("the pool is open").into_owned();
    (pool, slot)
}

fn submit(pool: &Pool) {
    pool.submit(task()).expect("the pool is open");
}

/// A closure with one capture.
fn task() -> impl FnOnce() + Send + 'static {
    let number = black_box(1_u64);
    move || {
        black_box(number);
    }
}
