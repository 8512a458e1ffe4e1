//! The order that is promised: a task sees what the one did whose slot it got, and whoever finds a task ended sees what
//! it did.
//!
//! The words are loom's and relaxed: nothing but the pool orders them, and loom lets a look at one be as stale as that
//! allows.
#![cfg(anthill_loom)]

use std::pin::pin;

use anthill::{Pool, Slot};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, beside, check, check_within, other, poll_once, pool};

/// A word, and a task that writes 1 into it.
fn word() -> (Arc<AtomicUsize>, impl FnOnce() + Send + 'static) {
    let word = Arc::new(AtomicUsize::new(0));
    let written = Arc::clone(&word);
    (word, move || written.store(1, Ordering::Relaxed))
}

fn is_written(word: &AtomicUsize) -> bool {
    word.load(Ordering::Relaxed) == 1
}

#[test]
fn a_task_sees_what_the_one_did_whose_slot_it_has() {
    check(|| {
        let pool = pool(1, 2);
        let (word, write) = word();
        pool.submit(write).unwrap();
        let seen = Record::new();
        let see = seen.clone();
        pool.submit(move || {
            if is_written(&word) {
                see.add();
            }
        })
        .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(seen.count(), 1);
    });
}

#[test]
fn one_that_gets_a_slot_at_once_sees_what_was_done_in_it() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        // It is held until after the look: a slot that goes back acquires, too.
        let slot = loop {
            match pool.try_slot() {
                Ok(slot) => break slot,
                Err(_) => loom::thread::yield_now(),
            }
        };
        assert!(is_written(&word));
        drop(slot);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn one_that_gets_a_slot_which_another_collected_sees_what_was_done_in_it() {
    check(|| {
        let pool = pool(2, 1);
        let held = [(), ()].map(|()| pool.try_slot().unwrap().into_owned());
        let (word, write) = word();
        let leaves = other(move || {
            write();
            drop(held);
        });
        // Whichever of the two comes first may find both slots, and leave one to the second.
        let look = move |pool: &Pool| {
            let slot = pool.try_slot().map(Slot::into_owned);
            assert!(slot.is_err() || is_written(&word));
            slot
        };
        let rival = beside(&pool, look.clone());
        let slot = look(&pool);
        leaves.join().unwrap();
        drop((slot, rival.join().unwrap()));
    });
}

#[test]
fn one_that_is_granted_a_slot_sees_what_was_done_in_it() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        {
            let mut wait = pin!(pool.slot());
            // A waker that does nothing, so that nothing but the outcome orders the two; and no waiting in between.
            let mut granted = poll_once(wait.as_mut());
            if granted.is_pending() {
                granted = poll_once(wait.as_mut());
            }
            assert!(granted.is_pending() || is_written(&word));
            drop(granted);
        }
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn the_end_of_a_pool_is_after_its_task() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        pool.shutdown().wait().unwrap();
        assert!(is_written(&word));
    });
}

#[test]
fn the_end_of_a_pool_is_after_all_its_tasks() {
    check_within(1, || {
        let pool = pool(2, 2);
        let (first, write_first) = word();
        let (second, write_second) = word();
        pool.submit(write_first).unwrap();
        pool.submit(write_second).unwrap();
        pool.shutdown().wait().unwrap();
        assert!(is_written(&first) && is_written(&second));
    });
}

#[test]
fn the_end_of_a_subpool_is_after_its_tasks() {
    check(|| {
        let pool = pool(1, 1);
        let side = pool.subpool().capacity(1).build().unwrap();
        let (word, write) = word();
        side.submit(write).unwrap();
        side.shutdown().wait().unwrap();
        assert!(is_written(&word));
        pool.shutdown().wait().unwrap();
    });
}
