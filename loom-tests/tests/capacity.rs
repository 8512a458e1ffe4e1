//! I1: in flight never exceeds capacity.
#![cfg(anthill_loom)]

use anthill::SubmitError;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, check, other, pool};

/// A closure that records when it finds another one running.
fn alone(
    inside: &loom::sync::Arc<AtomicUsize>,
    met: &Record,
) -> impl FnOnce() + Send + 'static + use<> {
    let (inside, met) = (inside.clone(), met.clone());
    move || {
        if inside.fetch_add(1, Ordering::Relaxed) > 0 {
            met.add();
        }
        inside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn one_slot_never_holds_two_tasks() {
    check(|| {
        let pool = pool(1, 2);
        let inside = loom::sync::Arc::new(AtomicUsize::new(0));
        let met = Record::new();
        let submitter = {
            let (pool, task) = (pool.clone(), alone(&inside, &met));
            other(move || pool.try_submit(task).is_ok())
        };
        let mine = pool.try_submit(alone(&inside, &met)).is_ok();
        assert!(pool.in_flight() <= 1);
        let theirs = submitter.join().unwrap();
        assert!(
            mine || theirs,
            "one of the two came first and found the slot free"
        );
        pool.shutdown().unwrap();
        assert_eq!(met.count(), 0);
    });
}

#[test]
fn reserved_slots_count() {
    check(|| {
        let pool = pool(1, 1);
        let rival = {
            let pool = pool.clone();
            other(move || pool.try_slot())
        };
        let mine = pool.try_slot();
        let theirs = rival.join().unwrap();
        assert!(
            !(mine.is_ok() && theirs.is_ok()),
            "one slot was given twice"
        );
        assert!(
            mine.is_ok() || theirs.is_ok(),
            "a free slot was given to nobody"
        );
        drop((mine, theirs));
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn a_pool_tuned_down_lets_nothing_in_until_enough_ended() {
    check(|| {
        let pool = pool(2, 1);
        let first = pool.try_slot().unwrap();
        let second = pool.try_slot().unwrap();
        let tuner = {
            let pool = pool.clone();
            other(move || {
                pool.tune(1);
                // From here on one slot is one too many.
                pool.in_flight() == 2 && pool.try_submit(|| ()).is_ok()
            })
        };
        drop(first);
        assert!(!tuner.join().unwrap(), "accepted above the capacity");
        assert!(matches!(pool.try_submit(|| ()), Err(SubmitError::Full(_))));
        drop(second);
        assert!(pool.try_slot().is_ok());
    });
}
