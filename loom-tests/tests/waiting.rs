//! I4: a waiter is woken by a freed slot, by tune up and by close, also when the freeing task panicked.
//! I5: a slot is neither lost nor doubled when a wait is given up while it is being granted.
//! I9: one that was let into the line is never told full.
#![cfg(anthill_loom)]

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anthill::{Pool, Slot, SlotError};
use loom::sync::mpsc::channel;
use loom_tests::{
    Record, beside, check, check_within, held_up, keeping, other, poll_once, pool, run_two_in_a_row,
};

/// A pool whose only slot is held.
fn full() -> (Pool, Slot<'static>) {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap().into_owned();
    (pool, held)
}

fn take_a_slot(pool: &Pool) {
    drop(loom::future::block_on(pool.slot()).unwrap());
}

#[test]
fn a_freed_slot_wakes_a_waiting_thread() {
    check(|| run_two_in_a_row(&pool(1, 1)));
}

#[test]
fn a_freed_slot_wakes_a_waiting_future() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        loom::future::block_on(pool.slot())
            .map(|slot| slot.submit(ran.task()))
            .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_panicking_task_wakes_a_waiter_as_well() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        pool.submit(ran.panicking()).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_panicking_future_wakes_a_waiter_as_well() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let panicking = ran.panicking();
        pool.spawn(async move { panicking() }).unwrap();
        pool.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn each_of_two_waiters_gets_its_slot() {
    check(|| {
        let (pool, held) = full();
        let waiter = beside(&pool, take_a_slot);
        let rival = beside(&pool, take_a_slot);
        drop(held);
        waiter.join().unwrap();
        rival.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn tuning_up_wakes_a_waiter() {
    check(|| {
        let (pool, held) = full();
        let waiter = beside(&pool, take_a_slot);
        pool.set_capacity(2);
        waiter.join().unwrap();
        drop(held);
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn closing_wakes_a_waiter() {
    check(|| {
        let (pool, held) = full();
        let waiter = beside(&pool, |pool| pool.submit(|| ()));
        pool.close();
        assert_eq!(waiter.join().unwrap(), Err(SlotError::Closed));
        drop(held);
    });
}

#[test]
fn a_wait_that_times_out_while_it_is_granted_loses_no_slot() {
    check(|| {
        let (pool, held) = full();
        let ran = Record::new();
        let task = ran.task();
        let waiter = beside(&pool, move |pool| {
            pool.slot()
                .wait_timeout(Duration::ZERO)
                .map(|slot| slot.submit(task))
        });
        drop(held);
        let accepted = match waiter.join().unwrap() {
            Ok(()) => 1,
            refused => {
                assert_eq!(refused, Err(SlotError::Timeout));
                0
            }
        };
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.in_flight()), (accepted, 0));
    });
}

#[test]
fn a_future_dropped_while_it_is_granted_passes_the_slot_on() {
    check(|| {
        let (pool, held) = full();
        let fickle = beside(&pool, |pool| {
            // Once, and then it is dropped, granted or not.
            let _ = poll_once(pin!(pool.slot()));
        });
        let patient = beside(&pool, take_a_slot);
        drop(held);
        fickle.join().unwrap();
        patient.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn a_run_dropped_while_it_is_granted_passes_the_slot_on() {
    check(|| {
        let (pool, held) = full();
        let ran = Record::new();
        let task = ran.task();
        let fickle = beside(&pool, move |pool| {
            // It waits for the slot or for its closure when it is dropped.
            poll_once(pin!(pool.run(task))).is_ready()
        });
        drop(held);
        let ended = fickle.join().unwrap();
        take_a_slot(&pool);
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!(stats.in_flight, 0);
        assert_eq!(stats.completed, ran.count() as u64);
        assert!(ran.count() > 0 || !ended);
    });
}

/// Tries for a slot while the only one comes back, with one in line.
fn a_newcomer_and_the_line(prepare: fn(&Pool)) {
    check(move || {
        let (pool, held) = full();
        let mut first = pin!(pool.slot());
        assert!(poll_once(first.as_mut()).is_pending());
        prepare(&pool);
        // Before the slot comes back, while it is on its way to the line, and after.
        let newcomer = beside(&pool, |pool| pool.try_slot().is_err());
        drop(held);
        assert!(newcomer.join().unwrap(), "overtook the line");
        assert!(poll_once(first.as_mut()).is_ready());
    });
}

#[test]
fn a_newcomer_does_not_overtake_the_line() {
    a_newcomer_and_the_line(|_| ());
}

#[test]
fn a_newcomer_does_not_overtake_the_line_of_a_pool_that_was_tuned() {
    a_newcomer_and_the_line(|pool| pool.set_capacity(1));
}

#[test]
fn one_that_is_in_line_is_never_told_full() {
    check(|| {
        let pool = keeping(0..=1).capacity(1).max_waiting(1).build().unwrap();
        let held = pool.try_slot().unwrap().into_owned();
        {
            let mut first = pin!(pool.slot());
            assert!(poll_once(first.as_mut()).is_pending());
            let releases = other(move || drop(held));
            // One more than may wait: told at once, or let in behind the first.
            let mut second = pin!(pool.slot());
            let told = poll_once(second.as_mut());
            assert!(matches!(
                told,
                Poll::Pending | Poll::Ready(Err(SlotError::Full))
            ));
            releases.join().unwrap();
            assert!(matches!(poll_once(first.as_mut()), Poll::Ready(Ok(_))));
        }
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn a_worker_of_one_pool_may_wait_for_a_slot_of_another() {
    check_within(1, || {
        let (pool, full) = (pool(1, 1), pool(1, 1));
        let go = held_up(&full);
        let (told, hear) = channel();
        let waits = full.clone();
        pool.submit(move || {
            let accepted = waits.submit(|| ()).is_ok();
            told.send(accepted).unwrap();
        })
        .unwrap();
        go.send(()).unwrap();
        assert!(hear.recv().unwrap());
        pool.shutdown().wait().unwrap();
        full.shutdown().wait().unwrap();
        assert_eq!(full.stats().completed, 2);
    });
}

#[test]
fn one_that_gives_up_takes_nobody_else_s_place() {
    check_within(1, || {
        let pool = pool(1, 1);
        let go = held_up(&pool);
        let mut first = Box::pin(pool.slot());
        let mut second = Box::pin(pool.slot());
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        drop(second);
        go.send(()).unwrap();
        let slot = loom::future::block_on(first).unwrap();
        drop(slot);
        pool.shutdown().wait().unwrap();
    });
}
