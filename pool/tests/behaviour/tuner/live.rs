//! A tuner and a real pool.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use anthill::Pool;
use anthill::tuner::{
    Aimd, Control, Fixed, Policy, Probe, Proposal, Reason, Sample, Stepped, Target, Tuner,
};

/// One percent each.
struct Load(AtomicUsize);

impl Load {
    fn new(percent: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(percent)))
    }

    fn set(&self, percent: usize) {
        self.0.store(percent, Ordering::Relaxed);
    }

    fn policy(self: &Arc<Self>) -> Stepped {
        let load = self.clone();
        Stepped::default().by(move |_| load.0.load(Ordering::Relaxed) as f64 / 100.0)
    }
}

/// Ticks until there is a change; not for ever.
fn change(tuner: &mut Tuner) -> Option<anthill::tuner::Change> {
    (0..1000).find_map(|_| tuner.tick())
}

/// Proposes the stored limit.
struct Stored(Arc<AtomicUsize>);

impl Policy for Stored {
    fn propose(&mut self, _: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        Some(Proposal {
            limit: self.0.load(Ordering::Relaxed),
            reason: Reason::Bounds,
            at_once: true,
        })
    }
}

#[test]
fn tuner_moves_the_capacity() {
    let pool = Pool::builder().capacity(4).build().unwrap();
    let load = Load::new(50);
    let mut tuner = Tuner::new(
        &pool,
        Target::Capacity,
        Control::new(load.policy()).pause(Duration::ZERO),
    );
    let up = change(&mut tuner).unwrap();
    assert_eq!((up.from, up.to, pool.capacity()), (4, 8, 8));
    assert_eq!(up.to_string(), "4 -> 8: the load is 0.50");
    load.set(100);
    assert_eq!(change(&mut tuner).unwrap().to, 16);
    assert!(change(&mut tuner).is_none(), "that is what it should be");
    load.set(0);
    while pool.capacity() > 4 {
        change(&mut tuner).unwrap();
    }
    pool.shutdown().wait().unwrap();
}

#[test]
fn tuner_moves_the_threads_and_keeps_the_minimum() {
    let pool = Pool::builder().threads(2..=4).build().unwrap();
    let load = Load::new(100);
    let mut tuner = Tuner::new(&pool, Target::Threads, load.policy());
    assert_eq!(change(&mut tuner).unwrap().to, 16);
    assert_eq!(pool.threads(), 2..=16);
    pool.shutdown().wait().unwrap();

    let pool = Pool::builder().threads(6..=8).build().unwrap();
    let mut tuner = Tuner::new(&pool, Target::Threads, Fixed(3));
    assert_eq!(change(&mut tuner).unwrap().to, 3);
    assert_eq!(
        pool.threads(),
        3..=3,
        "the fewest are no more than the most"
    );
    pool.shutdown().wait().unwrap();

    let pool = Pool::builder().threads(4..=8).build().unwrap();
    let wanted = Arc::new(AtomicUsize::new(2));
    let policy = Stored(Arc::clone(&wanted));
    let mut tuner = Tuner::new(&pool, Target::Threads, policy);
    assert_eq!(change(&mut tuner).unwrap().to, 2);
    assert_eq!(pool.threads(), 2..=2);
    wanted.store(6, Ordering::Relaxed);
    assert_eq!(change(&mut tuner).unwrap().to, 6);
    assert_eq!(pool.threads(), 4..=6, "the minimum returns with the limit");
    pool.set_threads(1..=6).unwrap();
    wanted.store(8, Ordering::Relaxed);
    assert_eq!(change(&mut tuner).unwrap().to, 8);
    assert_eq!(pool.threads(), 1..=8, "others may change the minimum");
    pool.shutdown().wait().unwrap();
}

#[test]
fn tuner_of_a_pool_without_capacity_raises_it() {
    let pool = Pool::builder().capacity(1).build().unwrap();
    pool.set_capacity(0);
    let mut tuner = Tuner::new(&pool, Target::Capacity, Fixed(9));
    assert_eq!(change(&mut tuner).unwrap().to, 1);
    assert_eq!(pool.capacity(), 1);
}

#[test]
fn too_many_threads_change_nothing() {
    let pool = Pool::builder().threads(0..=4).build().unwrap();
    let mut tuner = Tuner::new(
        &pool,
        Target::Threads,
        Control::new(Fixed(usize::MAX)).bounds(1..=usize::MAX),
    );
    change(&mut tuner);
    assert_eq!(pool.threads(), 0..=4);
    pool.shutdown().wait().unwrap();
}

#[test]
fn limit_moved_by_others_returns_within_the_bounds() {
    let pool = Pool::builder().capacity(8).build().unwrap();
    let load = Load::new(50);
    let mut tuner = Tuner::new(
        &pool,
        Target::Capacity,
        Control::new(load.policy()).bounds(4..=16),
    );
    assert!(change(&mut tuner).is_none());
    pool.set_capacity(100);
    let back = change(&mut tuner).unwrap();
    assert_eq!((back.from, back.to, back.reason), (100, 16, Reason::Bounds));
    pool.shutdown().wait().unwrap();
}

#[test]
fn policy_sees_the_stats_and_the_probe() {
    let pool = Pool::builder().capacity(64).threads(1..=1).build().unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    pool.submit(move || {
        begun.send(()).unwrap();
        wait.recv().unwrap();
    })
    .unwrap();
    has_begun.recv().unwrap();
    for _ in 0..9 {
        pool.submit(|| ()).unwrap();
    }
    let (tell, told) = mpsc::channel();
    let policy = Stepped::default().by(move |sample| {
        tell.send(*sample).unwrap();
        0.0
    });
    let mut tuner = Tuner::new(&pool, Target::Capacity, policy).probe(|| Probe {
        cpu: Some(0.5),
        memory: Some(0.25),
    });
    let mut sample = || {
        while told.try_recv().is_ok() {}
        loop {
            tuner.tick();
            if let Ok(sample) = told.try_recv() {
                return sample;
            }
        }
    };
    let first = sample();
    assert_eq!((first.ended, first.limit), (0, 64));
    let close = |is: f64, should: f64| (is - should).abs() < 1e-9;
    assert!(close(first.in_flight, 10.0) && close(first.running, 1.0) && close(first.queued, 9.0));
    assert_eq!(
        (first.probe.cpu, first.probe.memory),
        (Some(0.5), Some(0.25))
    );
    go.send(()).unwrap();
    pool.shutdown().wait().unwrap();
    let second = sample();
    assert_eq!(second.ended, 10);
}

#[test]
fn tuner_thread_reports_changes_and_ends_on_drop() {
    let pool = Pool::builder().capacity(4).build().unwrap();
    let (tell, told) = mpsc::channel();
    let tuning = Tuner::new(&pool, Target::Capacity, Fixed(12))
        .interval(Duration::from_millis(10))
        .start(move |change| tell.send(change.to).unwrap())
        .unwrap();
    assert_eq!(told.recv(), Ok(12));
    drop(tuning);
    assert!(
        told.try_recv()
            .is_err_and(|error| error == mpsc::TryRecvError::Disconnected)
    );
    assert_eq!(pool.capacity(), 12);
    pool.shutdown().wait().unwrap();
}

#[test]
fn tuner_may_be_dropped_by_its_own_callback() {
    let pool = Pool::builder().capacity(4).build().unwrap();
    let slot = Arc::new(Mutex::new(None));
    let (tell, told) = mpsc::channel();
    let mine = slot.clone();
    let held = slot.lock().unwrap();
    let tuning = Tuner::new(&pool, Target::Capacity, Fixed(12))
        .interval(Duration::from_millis(10))
        .start(move |_| {
            drop(mine.lock().unwrap().take());
            tell.send(()).unwrap();
        })
        .unwrap();
    let mut held = held;
    *held = Some(tuning);
    drop(held);
    told.recv().unwrap();
    assert!(told.recv().is_err(), "it has ended");
    pool.shutdown().wait().unwrap();
}

#[test]
fn reported_failures_lower_the_capacity() {
    let pool = Pool::builder().capacity(50).build().unwrap();
    let mut tuner = Tuner::new(&pool, Target::Capacity, Aimd::default());
    assert!(tuner.tick().is_none(), "the first reading begins a sample");
    let failures = tuner.failures();
    for n in 0..20 {
        let failures = failures.clone();
        let fail = move || {
            if n % 4 == 0 {
                failures.report();
            }
        };
        pool.submit_with_handle(fail).unwrap().wait().unwrap();
    }
    let cut = change(&mut tuner).unwrap();
    assert_eq!((cut.from, cut.to, pool.capacity()), (50, 45, 45));
    assert!(matches!(cut.reason, Reason::Failing { failures: 5, .. }));
    pool.shutdown().wait().unwrap();
}

#[test]
fn expired_tasks_lower_the_capacity_if_they_count() {
    let pool = Pool::builder().capacity(50).build().unwrap();
    let policy = Aimd::default().count_expired();
    let mut tuner = Tuner::new(&pool, Target::Capacity, policy);
    assert!(tuner.tick().is_none(), "the first reading begins a sample");
    let slot = pool.slot().wait().unwrap().expires_at(Instant::now());
    slot.submit(|| unreachable!());
    pool.shutdown().wait().unwrap();
    let cut = change(&mut tuner).unwrap();
    assert_eq!(
        (cut.to, cut.to_string().as_str()),
        (45, "50 -> 45: 1 failures in 1 tasks")
    );
}
