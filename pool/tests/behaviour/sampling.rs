//! Queue times and run times of sampled tasks.

use std::time::{Duration, Instant};

use anthill::{BuildError, Pool};

use crate::support::{Gate, eventually, pool, yield_now};

fn sampled(one_in: u64) -> Pool {
    let builder = Pool::builder().threads(0..=1);
    builder.sample_times(one_in).build().unwrap()
}

#[test]
fn without_the_setting_nothing_is_measured() {
    assert!(pool(1, 1).times().is_none());
}

#[test]
fn one_in_n_tasks_of_any_kind_is_measured() {
    let pool = sampled(3);
    let strand = pool.strand();
    for _ in 0..3 {
        pool.submit(|| ()).unwrap();
        pool.spawn(yield_now()).unwrap();
        strand.submit(|| ()).unwrap();
    }
    pool.shutdown().wait().unwrap();
    let times = pool.times().unwrap();
    assert_eq!((times.queue_wait.count(), times.run.count()), (3, 3));
}

#[test]
fn queue_time_and_run_time_are_measured() {
    const LONG: Duration = Duration::from_millis(5);
    let (pool, gate) = (sampled(1), Gate::new());
    let (said, begun) = std::sync::mpsc::channel();
    let wait = gate.waiter();
    let before = Instant::now();
    pool.submit(move || {
        said.send(()).unwrap();
        wait();
    })
    .unwrap();
    begun.recv().unwrap();
    pool.submit(|| ()).unwrap();
    // From here until the gate opens the first runs and the second waits.
    let held = Instant::now();
    eventually(|| held.elapsed() >= LONG);
    gate.open();
    pool.shutdown().wait().unwrap();
    let whole = before.elapsed();
    let times = pool.times().unwrap();
    assert!(times.run.quantile(1.0) >= LONG, "the first ran");
    assert!(
        times.queue_wait.quantile(1.0) >= LONG,
        "the second waited for it"
    );
    assert!((LONG / 2..=whole).contains(&times.run.mean()));
}

#[test]
fn panicked_closure_is_measured_and_cancelled_is_not() {
    let (pool, gate) = (sampled(1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    pool.submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    assert!(pool.submit_with_handle(|| ()).unwrap().cancel());
    gate.open();
    pool.shutdown().wait().unwrap();
    let times = pool.times().unwrap();
    assert_eq!((times.queue_wait.count(), times.run.count()), (2, 2));
}

#[test]
fn sampling_one_in_zero_is_refused() {
    let refused = Pool::builder().sample_times(0).build();
    assert!(matches!(refused, Err(BuildError::ZeroSampling)));
}
