//! Happens-before: a task sees the writes of the previous holder of its slot, and a thread that finds a task ended sees
//! the writes of that task.
//!
//! The words are loom's and relaxed. Only the pool orders them, and loom returns every value that this order allows.

use std::pin::pin;

use anthill::{Pool, Slot};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, beside, check, check_within, keeping, other, poll_once, pool};

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
fn task_sees_writes_of_the_previous_task_in_its_slot() {
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
fn try_slot_sees_writes_of_the_previous_holder() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        // The slot is held until after the load, because its release acquires, too.
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
fn slot_reclaimed_by_another_thread_carries_its_writes() {
    check(|| {
        let pool = pool(2, 1);
        let held = [(), ()].map(|()| pool.try_slot().unwrap().into_owned());
        let (word, write) = word();
        let leaves = other(move || {
            write();
            drop(held);
        });
        // The first of the two may reclaim both slots and leave one to the second.
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
fn granted_slot_carries_writes_of_the_previous_task() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        {
            let mut wait = pin!(pool.slot());
            // The waker does nothing and the thread does not wait, so that only the outcome orders the two.
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
fn shutdown_sees_writes_of_the_last_task() {
    check(|| {
        let pool = pool(1, 1);
        let (word, write) = word();
        pool.submit(write).unwrap();
        pool.shutdown().wait().unwrap();
        assert!(is_written(&word));
    });
}

#[test]
fn shutdown_sees_writes_of_tasks_on_two_workers() {
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
fn shutdown_sees_writes_of_a_stop_hook() {
    check(|| {
        let (word, write) = word();
        let write = std::sync::Mutex::new(Some(write));
        let builder = keeping(0..=1).capacity(1).on_thread_stop(move |_| {
            let write = write.lock().unwrap().take().expect("one thread runs");
            write();
        });
        let pool = builder.build().unwrap();
        pool.submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        assert!(is_written(&word));
    });
}

#[test]
fn subpool_shutdown_sees_writes_of_its_tasks() {
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
