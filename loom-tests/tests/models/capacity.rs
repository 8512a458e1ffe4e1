//! I1: the number of tasks in flight never exceeds the capacity.
//! I10: a shrunk pool accepts no task until enough have ended, and keeps its waiters in line.

use anthill::{Pool, Slot, SlotError};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, beside, check, check_within, pool};

/// A closure that records in `met` that another closure runs at the same time.
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
    check_within(1, || {
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
            "the first of the two submits found the slot free"
        );
        pool.shutdown().wait().unwrap();
        assert_eq!(met.count(), 0);
    });
}

#[test]
fn reserved_slot_counts_as_in_flight() {
    check(|| {
        let pool = pool(1, 1);
        let rival = beside(&pool, |pool| pool.try_slot().map(Slot::into_owned));
        let mine = pool.try_slot();
        let theirs = rival.join().unwrap();
        assert!(
            !(mine.is_ok() && theirs.is_ok()),
            "one slot was granted twice"
        );
        assert!(
            mine.is_ok() || theirs.is_ok(),
            "a free slot was refused to both"
        );
        drop((mine, theirs));
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn free_slot_is_never_refused() {
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
fn shrunk_pool_refuses_until_enough_tasks_end() {
    check(|| {
        let pool = pool(2, 1);
        let first = pool.try_slot().unwrap();
        let second = pool.try_slot().unwrap();
        let resizer = beside(&pool, |pool| {
            pool.set_capacity(1);
            // Two slots in flight now exceed the capacity.
            pool.in_flight() == 2 && pool.try_submit(|| ()).is_ok()
        });
        drop(first);
        assert!(!resizer.join().unwrap(), "accepted above the capacity");
        let refused = pool.try_submit(|| ()).map_err(SlotError::from);
        assert_eq!(refused, Err(SlotError::Full));
        drop(second);
        assert!(pool.try_slot().is_ok());
    });
}

#[test]
fn shrinking_keeps_the_waiter_in_line() {
    check(|| {
        let pool = pool(2, 1);
        let held = [pool.try_slot().unwrap(), pool.try_slot().unwrap()];
        let waiter = beside(&pool, |pool| {
            drop(loom::future::block_on(pool.slot()).unwrap());
        });
        let resizer = beside(&pool, |pool| pool.set_capacity(1));
        drop(held);
        waiter.join().unwrap();
        resizer.join().unwrap();
        assert_eq!((pool.in_flight(), pool.capacity()), (0, 1));
    });
}
