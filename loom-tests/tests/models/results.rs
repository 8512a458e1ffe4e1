//! A handle returns the end of its task once, however the two race.

use std::panic::resume_unwind;
use std::pin::{Pin, pin};

use anthill::{JoinError, Pool};
use loom_tests::{Record, check, check_within, held_up, keeping, other, poll_once, pool};

#[test]
fn joining_thread_is_woken() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool.submit_with_handle(|| 7).unwrap();
        assert_eq!(handle.wait().unwrap(), 7);
        pool.shutdown().wait().unwrap();
    });
}

/// Asserts that the slot of the joined task is free and its end is counted.
fn assert_is_over(pool: &Pool) {
    assert_eq!(pool.stats().completed, 1);
    drop(pool.try_slot().unwrap());
    pool.shutdown().wait().unwrap();
}

#[test]
fn joined_closure_has_released_its_slot() {
    check(|| {
        let pool = pool(1, 1);
        pool.submit_with_handle(|| ()).unwrap().wait().unwrap();
        assert_eq!(pool.stats().running_closures, 0);
        assert_is_over(&pool);
    });
}

#[test]
fn joined_future_has_released_its_slot() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool.spawn_with_handle(async {}).unwrap();
        loom::future::block_on(handle).unwrap();
        assert_is_over(&pool);
    });
}

#[test]
fn awaiting_future_is_woken() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool.spawn_with_handle(async { 7 }).unwrap();
        assert_eq!(loom::future::block_on(handle).unwrap(), 7);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn closure_is_run_or_cancelled() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let handle = pool.submit_with_handle(ran.task()).unwrap();
        let cancelled = handle.cancel();
        match handle.wait() {
            Ok(()) => assert!(!cancelled),
            Err(JoinError::Cancelled) => assert!(cancelled),
            Err(other) => panic!("{other}"),
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), usize::from(!cancelled));
        assert_eq!(pool.stats().cancelled, u64::from(cancelled));
    });
}

#[test]
fn cancelled_future_releases_its_slot() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool
            .spawn_with_handle(std::future::pending::<()>())
            .unwrap();
        let canceller = other(move || {
            while !handle.cancel() {
                loom::thread::yield_now();
            }
        });
        canceller.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().cancelled, 1);
    });
}

#[test]
fn cancel_wakes_the_awaiting_future() {
    check(|| {
        let pool = pool(1, 1);
        let mut handle = pool
            .spawn_with_handle(std::future::pending::<()>())
            .unwrap();
        assert!(poll_once(Pin::new(&mut handle)).is_pending());
        while !handle.cancel() {
            loom::thread::yield_now();
        }
        assert!(matches!(
            loom::future::block_on(handle),
            Err(JoinError::Cancelled)
        ));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn dropped_run_cancels_its_closure() {
    check_within(1, || {
        let pool = pool(2, 1);
        // The only worker is busy, so the closure cannot start before the drop.
        let go = held_up(&pool);
        let ran = Record::new();
        assert!(poll_once(pin!(pool.run(ran.task()))).is_pending());
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().cancelled), (0, 1));
    });
}

/// A panic payload that counts its drop.
struct Payload(Record);

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.add();
    }
}

#[test]
fn panic_reaches_the_handle_or_the_handler() {
    let (by_handle, by_handler) = (Record::new(), Record::new());
    let (handle_gets, handler_gets) = (by_handle.clone(), by_handler.clone());
    check(move || {
        let (handled, dropped) = (Record::new(), Record::new());
        let handler = {
            let handled = handled.clone();
            move |_| handled.add()
        };
        let builder = keeping(0..=1).capacity(1);
        let pool = builder.panic_handler(handler).build().unwrap();
        let payload = Payload(dropped.clone());
        let task = move || -> () { resume_unwind(Box::new(payload)) };
        let handle = pool.submit_with_handle(task).unwrap();
        let finished = handle.is_finished();
        drop(handle);
        let is_dropped = dropped.count() == 1;
        pool.shutdown().wait().unwrap();
        assert_eq!((dropped.count(), pool.stats().panicked), (1, 1));
        match handled.count() {
            0 => {
                assert!(is_dropped, "the payload is dropped with the handle");
                handle_gets.add();
            }
            count => {
                assert_eq!((count, finished), (1, false));
                handler_gets.add();
            }
        }
    });
    assert!(by_handle.count() > 0 && by_handler.count() > 0);
}
