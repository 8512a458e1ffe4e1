//! I4: a freed slot, a larger capacity and a close wake a waiter, also if the task that frees the slot panics.
//! I5: a slot is neither lost nor granted twice if a wait is cancelled during its grant.
//! I9: an admitted waiter is never refused as full.

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
fn freed_slot_wakes_a_waiting_thread() {
    check(|| run_two_in_a_row(&pool(1, 1)));
}

#[test]
fn freed_slot_wakes_a_waiting_future() {
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
fn panicking_closure_wakes_a_waiter() {
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
fn panicking_future_wakes_a_waiter() {
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
fn two_waiters_each_get_a_slot() {
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
fn raised_capacity_wakes_a_waiter() {
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
fn close_wakes_a_waiter() {
    check(|| {
        let (pool, held) = full();
        let waiter = beside(&pool, |pool| pool.submit(|| ()));
        pool.close();
        assert_eq!(waiter.join().unwrap(), Err(SlotError::Closed));
        drop(held);
    });
}

#[test]
fn timeout_during_a_grant_loses_no_slot() {
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
fn future_dropped_during_a_grant_passes_the_slot_on() {
    check(|| {
        let (pool, held) = full();
        let impatient = beside(&pool, |pool| {
            // Polled once and dropped, granted or not.
            let _ = poll_once(pin!(pool.slot()));
        });
        let patient = beside(&pool, take_a_slot);
        drop(held);
        impatient.join().unwrap();
        patient.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn run_dropped_during_a_grant_passes_the_slot_on() {
    check(|| {
        let (pool, held) = full();
        let ran = Record::new();
        let task = ran.task();
        let impatient = beside(&pool, move |pool| {
            // At its drop the `Run` waits for the slot or for its closure.
            poll_once(pin!(pool.run(task))).is_ready()
        });
        drop(held);
        let ended = impatient.join().unwrap();
        take_a_slot(&pool);
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!(stats.in_flight, 0);
        assert_eq!(stats.completed, ran.count() as u64);
        assert!(ran.count() > 0 || !ended);
    });
}

/// Tries to take the only slot while it is released and a waiter is in line.
fn newcomer_and_the_line(prepare: fn(&Pool)) {
    check(move || {
        let (pool, held) = full();
        let mut first = pin!(pool.slot());
        assert!(poll_once(first.as_mut()).is_pending());
        prepare(&pool);
        // Before the slot is released, while it passes to the line, or after.
        let newcomer = beside(&pool, |pool| pool.try_slot().is_err());
        drop(held);
        assert!(newcomer.join().unwrap(), "overtook the line");
        assert!(poll_once(first.as_mut()).is_ready());
    });
}

#[test]
fn newcomer_does_not_overtake_the_line() {
    newcomer_and_the_line(|_| ());
}

#[test]
fn newcomer_does_not_overtake_the_line_after_resizing() {
    newcomer_and_the_line(|pool| pool.set_capacity(1));
}

#[test]
fn admitted_waiter_is_never_refused_as_full() {
    check(|| {
        let pool = keeping(0..=1).capacity(1).max_waiting(1).build().unwrap();
        let held = pool.try_slot().unwrap().into_owned();
        {
            let mut first = pin!(pool.slot());
            assert!(poll_once(first.as_mut()).is_pending());
            let releases = other(move || drop(held));
            // More than `max_waiting`: refused at once, unless the first waiter has left the line.
            let mut second = pin!(pool.slot());
            let admitted = poll_once(second.as_mut());
            assert!(matches!(
                admitted,
                Poll::Pending | Poll::Ready(Err(SlotError::Full))
            ));
            releases.join().unwrap();
            assert!(matches!(poll_once(first.as_mut()), Poll::Ready(Ok(_))));
        }
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn worker_may_wait_for_a_slot_of_another_pool() {
    check_within(1, || {
        let (pool, full) = (pool(1, 1), pool(1, 1));
        let go = held_up(&full);
        let (send, result) = channel();
        let waits = full.clone();
        pool.submit(move || {
            let accepted = waits.submit(|| ()).is_ok();
            send.send(accepted).unwrap();
        })
        .unwrap();
        go.send(()).unwrap();
        assert!(result.recv().unwrap());
        pool.shutdown().wait().unwrap();
        full.shutdown().wait().unwrap();
        assert_eq!(full.stats().completed, 2);
    });
}

#[test]
fn cancelled_wait_removes_only_its_own_ticket() {
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

#[test]
fn wait_whose_park_returns_early_gets_its_slot() {
    check(|| {
        let pool = pool(1, 1);
        let held = pool.try_slot().unwrap().into_owned();
        // The token of a real thread may hold a signal of other code.
        anthill::wake_early(1);
        let releaser = other(move || drop(held));
        assert!(pool.slot().wait().is_ok());
        releaser.join().unwrap();
        pool.shutdown().wait().unwrap();
    });
}
