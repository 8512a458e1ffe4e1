//! How long does it take from a submit to the start of the task, on a pool whose threads all sleep?

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use benches::Peer;
use benches::peers::{Anthill, Channel, Rayon, Threadpool, Tokio};
use criterion::{Criterion, criterion_group, criterion_main};

/// Long enough for every peer's threads to give up looking for work.
const PAUSE: Duration = Duration::from_micros(200);

fn bench<P: Peer>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submit to start");
    let pool = P::new(16);
    group.bench_function(P::NAME, |bencher| {
        bencher.iter_custom(|rounds| {
            let (started, starts) = mpsc::channel();
            let round = || {
                thread::sleep(PAUSE);
                let started = started.clone();
                let submitted = Instant::now();
                pool.submit(move || _ = started.send(Instant::now()));
                starts.recv().expect("the task runs") - submitted
            };
            (0..rounds).map(|_| round()).sum()
        });
    });
    group.finish();
}

fn latency(criterion: &mut Criterion) {
    bench::<Anthill>(criterion);
    bench::<Channel>(criterion);
    bench::<Rayon>(criterion);
    bench::<Tokio>(criterion);
    bench::<Threadpool>(criterion);
}

criterion_group!(benches, latency);
criterion_main!(benches);
