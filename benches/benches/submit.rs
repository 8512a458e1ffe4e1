//! What does it cost to hand over a closure, from one thread and from four, when there is room?

use benches::peers::{Anthill, Channel, Rayon, Threadpool, Tokio};
use benches::{Peer, submit_all};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TASKS: usize = 10_000;
/// More than there are tasks, so that nobody waits.
const CAPACITY: usize = 50_000;

fn bench<P: Peer>(criterion: &mut Criterion, producers: usize) {
    let mut group = criterion.benchmark_group(format!("submit from {producers}"));
    group.throughput(Throughput::Elements(TASKS as u64));
    let pool = P::new(CAPACITY);
    group.bench_function(P::NAME, |bencher| {
        bencher.iter(|| submit_all(&pool, producers, TASKS));
    });
    group.finish();
}

fn submit(criterion: &mut Criterion) {
    for producers in [1, 4] {
        bench::<Anthill>(criterion, producers);
        bench::<Channel>(criterion, producers);
        bench::<Rayon>(criterion, producers);
        bench::<Tokio>(criterion, producers);
        bench::<Threadpool>(criterion, producers);
    }
}

criterion_group!(benches, submit);
criterion_main!(benches);
