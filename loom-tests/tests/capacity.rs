//! I1: in flight never exceeds capacity.
//! I10: after a tune down nothing is let in until enough have ended, and nobody in line is forgotten.
#![cfg(anthill_loom)]

use anthill::{Pool, Slot, SlotError};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, beside, check, pool};

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
        let task = alone(&inside, &met);
        let submitter = beside(&pool, move |pool| pool.try_submit(task).is_ok());
        let mine = pool.try_submit(alone(&inside, &met)).is_ok();
        assert!(pool.in_flight() <= 1);
        let theirs = submitter.join().unwrap();
        assert!(
            mine || theirs,
            "one of the two came first and found the slot free"
        );
        pool.shutdown().wait().unwrap();
        assert_eq!(met.count(), 0);
    });
}

#[test]
fn reserved_slots_count() {
    check(|| {
        let pool = pool(1, 1);
        let rival = beside(&pool, |pool| pool.try_slot().map(Slot::into_owned));
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
fn nobody_is_refused_who_finds_a_slot_free_all_the_time() {
    check(|| {
        let pool = pool(2, 1);
        let take = |pool: &Pool| drop(pool.try_slot().expect("of two slots at most two are held"));
        let take_twice = move |pool: &Pool| {
            take(pool);
            take(pool);
        };
        take_twice(&pool);
        let other = beside(&pool, take_twice);
        take(&pool);
        other.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn a_pool_tuned_down_lets_nothing_in_until_enough_ended() {
    check(|| {
        let pool = pool(2, 1);
        let first = pool.try_slot().unwrap();
        let second = pool.try_slot().unwrap();
        let tuner = beside(&pool, |pool| {
            pool.set_capacity(1);
            // From here on one slot is one too many.
            pool.in_flight() == 2 && pool.try_submit(|| ()).is_ok()
        });
        drop(first);
        assert!(!tuner.join().unwrap(), "accepted above the capacity");
        let refused = pool.try_submit(|| ()).map_err(SlotError::from);
        assert_eq!(refused, Err(SlotError::Full));
        drop(second);
        assert!(pool.try_slot().is_ok());
    });
}

#[test]
fn one_in_line_gets_a_slot_of_a_pool_that_is_tuned_down() {
    check(|| {
        let pool = pool(2, 1);
        let held = [pool.try_slot().unwrap(), pool.try_slot().unwrap()];
        let waiter = beside(&pool, |pool| {
            drop(loom::future::block_on(pool.slot()).unwrap());
        });
        let tuner = beside(&pool, |pool| pool.set_capacity(1));
        drop(held);
        waiter.join().unwrap();
        tuner.join().unwrap();
        assert_eq!((pool.in_flight(), pool.capacity()), (0, 1));
    });
}
