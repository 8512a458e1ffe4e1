//! The end of a pool that is at work.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anthill::{Pool, ShutdownError, SlotError};

use super::kinds::{Anything, Closures, Kind, Typed};
use super::watch::{MINUTE, Watch, watched};
use crate::support::{Gate, eventually};

/// Two that submit to a pool of one slot, and a close: both return, with what became of each task.
fn both_submitters_return<K: Kind>() {
    const EACH: u64 = 30;
    let watch = Watch::default();
    let (step, steps) = mpsc::channel::<()>();
    let steps = Mutex::new(steps);
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool: K = watched(builder, &watch, move |_| {
        // An error when all steps have been taken, and the task then ends at once.
        _ = steps.lock().unwrap().recv();
    });
    let (accepted, closed) = thread::scope(|scope| {
        let submitters = [0, 100].map(|first| {
            let pool = &pool;
            scope.spawn(move || {
                let told: Vec<_> = (first..first + EACH).map(|n| pool.submit(n)).collect();
                let count = |answer| told.iter().filter(|told| **told == answer).count();
                (count(Ok(())), count(Err(SlotError::Closed)))
            })
        });
        for _ in 0..3 {
            step.send(()).unwrap();
        }
        eventually(|| {
            // The third has ended before the fourth has its slot.
            let stats = pool.pool().stats();
            watch.ended() == 3 && stats.accepted == 4 && stats.waiting == 2
        });
        pool.pool().close();
        let told = submitters.map(|submitter| submitter.join().unwrap());
        (told[0].0 + told[1].0, told[0].1 + told[1].1)
    });
    assert_eq!(
        (accepted, closed),
        (4, 56),
        "three tasks ended and one runs"
    );
    drop(step);
    pool.pool().shutdown().wait().unwrap();
    assert_eq!((watch.ended(), pool.pool().stats().completed), (4, 4));
    watch.assert_never_beyond(1);
}

#[test]
fn release_when_running_pool() {
    both_submitters_return::<Closures>();
}

#[test]
fn release_when_running_pool_with_func() {
    both_submitters_return::<Anything>();
}

#[test]
fn release_when_running_pool_with_func_generic() {
    both_submitters_return::<Typed>();
}

/// Five tasks; a pool of ten slots in which they wait at the gate.
fn five_tasks<K: Kind>() -> (K, Watch, Gate) {
    let (watch, gate) = (Watch::default(), Gate::new());
    let held = gate.clone();
    let builder = Pool::builder().capacity(10).threads(0..=10);
    let pool: K = watched(builder, &watch, move |_| held.wait());
    for n in 0..5 {
        pool.submit(n).unwrap();
    }
    eventually(|| pool.pool().stats().running == 5);
    (pool, watch, gate)
}

fn waits_until_the_end<K: Kind>() {
    let (pool, watch, gate) = five_tasks::<K>();
    let late = pool
        .pool()
        .shutdown()
        .wait_timeout(Duration::ZERO)
        .unwrap_err();
    let ShutdownError::Timeout(left) = late else {
        panic!("five tasks were running");
    };
    assert_eq!((left.stats.in_flight, left.stats.running), (5, 5));
    thread::scope(|scope| {
        // After a wait that timed out another wait succeeds.
        let waits = scope.spawn(|| pool.pool().shutdown().wait_timeout(MINUTE));
        assert!(!waits.is_finished());
        gate.open();
        assert_eq!(waits.join().unwrap(), Ok(()));
        assert_eq!(watch.ended(), 5);
    });
    assert_eq!(pool.pool().stats().threads, 0);
    watch.assert_never_beyond(10);
}

#[test]
fn release_timeout() {
    waits_until_the_end::<Closures>();
    waits_until_the_end::<Anything>();
    waits_until_the_end::<Typed>();
}

/// ants' release without a context does not wait: that is a close.
#[test]
fn release_context_with_nil() {
    let (pool, watch, gate) = five_tasks::<Closures>();
    pool.pool().close();
    assert!(pool.pool().is_closed());
    assert_eq!((pool.pool().stats().running, watch.ended()), (5, 0));
    gate.open();
    pool.pool().shutdown().wait().unwrap();
    assert_eq!(watch.ended(), 5);
}
