//! Measured tasks.

mod support;

use std::time::Duration;

use anthill::{BuildError, Pool};
use support::{Gate, pool, yield_now};

fn sampled(one_in: u64) -> Pool {
    let builder = Pool::builder().threads(0..=1);
    builder.sample_times(one_in).build().unwrap()
}

#[test]
fn without_the_setting_nothing_is_measured() {
    assert!(pool(1, 1).times().is_none());
}

#[test]
fn one_of_so_many_is_measured_whatever_it_is() {
    let pool = sampled(3);
    let strand = pool.strand();
    for _ in 0..3 {
        pool.submit(|| ()).unwrap();
        pool.spawn(yield_now()).unwrap();
        strand.submit(|| ()).unwrap();
    }
    pool.shutdown().unwrap();
    let times = pool.times().unwrap();
    assert_eq!((times.queue_wait.count(), times.run.count()), (3, 3));
}

#[test]
fn a_task_is_measured_from_its_acceptance_and_while_it_runs() {
    const LONG: Duration = Duration::from_millis(20);
    let pool = sampled(1);
    let (said, accepted) = std::sync::mpsc::channel();
    let long = move || {
        accepted.recv().unwrap();
        // What is measured is time, so time must pass.
        std::thread::sleep(LONG);
    };
    pool.submit(long).unwrap();
    pool.submit(|| ()).unwrap();
    said.send(()).unwrap();
    pool.shutdown().unwrap();
    let times = pool.times().unwrap();
    assert!(times.run.quantile(1.0) >= LONG, "the first ran");
    assert!(
        times.queue_wait.quantile(1.0) >= LONG,
        "the second waited for it"
    );
    assert!(times.run.mean() >= LONG / 2);
}

#[test]
fn a_closure_that_panics_is_measured_and_one_that_is_cancelled_is_not() {
    let (pool, gate) = (sampled(1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    pool.submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    assert!(pool.submit_with_handle(|| ()).unwrap().cancel());
    gate.open();
    pool.shutdown().unwrap();
    let times = pool.times().unwrap();
    assert_eq!((times.queue_wait.count(), times.run.count()), (2, 2));
}

#[test]
fn one_in_none_is_refused() {
    let refused = Pool::builder().sample_times(0).build();
    assert!(matches!(refused, Err(BuildError::ZeroSampling)));
}
