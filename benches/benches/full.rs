//! What does it cost to hand over a closure when the pool is full most of the time, so that submitters wait? Peers
//! without a bound get one from a semaphore.

use benches::bounded::Bounded;
use benches::peers::{Anthill, Channel, Rayon, Threadpool, Tokio};
use benches::{Peer, submit_all};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TASKS: usize = 10_000;

fn bench<P: Peer>(criterion: &mut Criterion, capacity: usize) {
    let mut group = criterion.benchmark_group(format!("full at {capacity}"));
    group.throughput(Throughput::Elements(TASKS as u64));
    let pool = P::new(capacity);
    group.bench_function(P::NAME, |bencher| {
        bencher.iter(|| submit_all(&pool, 1, TASKS));
    });
    group.finish();
}

fn full(criterion: &mut Criterion) {
    for capacity in [1_000, 2] {
        bench::<Anthill>(criterion, capacity);
        bench::<Channel>(criterion, capacity);
        bench::<Bounded<Rayon>>(criterion, capacity);
        bench::<Bounded<Tokio>>(criterion, capacity);
        bench::<Bounded<Threadpool>>(criterion, capacity);
    }
}

criterion_group!(benches, full);
criterion_main!(benches);
