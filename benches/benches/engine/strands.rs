//! Strands: submitting closures to one, and running them in order.

use std::hint::black_box;
use std::time::Instant;

use anthill::Strand;
use criterion::Criterion;

use crate::held::HeldPool;
use crate::timing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("strands");
    timing::add(&mut group, "submit", set_up, |(held, strand), iters| {
        held.time_enqueue(iters, || submit(strand))
    });
    timing::add(&mut group, "run", set_up, |(held, strand), iters| {
        held.time_run(
            iters,
            || submit(strand),
            |last| {
                let last = move || _ = last.send(Instant::now());
                strand.submit(last).expect("the pool is open");
            },
        )
    });
    group.finish();
}

fn set_up() -> (HeldPool, Strand) {
    let held = HeldPool::new();
    let strand = held.pool.strand();
    (held, strand)
}

fn submit(strand: &Strand) {
    let number = black_box(1_u64);
    let task = move || {
        black_box(number);
    };
    strand.submit(task).expect("the pool is open");
}
