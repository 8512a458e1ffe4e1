//! A handle hears of its task's end, once, however the two race.
#![cfg(anthill_loom)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use anthill::JoinError;
use loom_tests::{Record, check, other, pool};

#[test]
fn a_joining_thread_is_woken() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool.submit_with_handle(|| 7).unwrap();
        assert_eq!(handle.join().unwrap(), 7);
        pool.shutdown().unwrap();
    });
}

#[test]
fn an_awaiting_future_is_woken() {
    check(|| {
        let pool = pool(1, 1);
        let handle = pool.spawn_with_handle(async { 7 }).unwrap();
        assert_eq!(loom::future::block_on(handle).unwrap(), 7);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_closure_is_run_or_cancelled() {
    check(|| {
        let pool = pool(1, 1);
        let ran = Record::new();
        let handle = pool.submit_with_handle(ran.task()).unwrap();
        let cancelled = handle.cancel();
        match handle.join() {
            Ok(()) => assert!(!cancelled),
            Err(JoinError::Cancelled) => assert!(cancelled),
            Err(other) => panic!("{other}"),
        }
        pool.shutdown().unwrap();
        assert_eq!(ran.count(), usize::from(!cancelled));
        assert_eq!(pool.stats().cancelled, u64::from(cancelled));
    });
}

#[test]
fn a_future_cancelled_between_two_polls_gives_its_slot_back() {
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
        pool.shutdown().unwrap();
        assert_eq!(pool.stats().cancelled, 1);
    });
}

#[test]
fn one_who_awaits_hears_of_a_cancellation() {
    check(|| {
        let pool = pool(1, 1);
        let mut handle = pool
            .spawn_with_handle(std::future::pending::<()>())
            .unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut awaited = Pin::new(&mut handle);
        assert!(awaited.as_mut().poll(&mut cx).is_pending());
        while !awaited.cancel() {
            loom::thread::yield_now();
        }
        assert!(matches!(
            loom::future::block_on(handle),
            Err(JoinError::Cancelled)
        ));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_panic_is_heard_by_the_handle_or_by_the_handler() {
    check(|| {
        let handled = Record::new();
        let handler = {
            let handled = handled.clone();
            move |_| handled.add()
        };
        let builder = loom_tests::keeping(1).capacity(1);
        let pool = builder.panic_handler(handler).build().unwrap();
        let handle = pool.submit_with_handle(Record::new().panicking()).unwrap();
        let finished = handle.is_finished();
        drop(handle);
        pool.shutdown().unwrap();
        // It may have ended between the look and the drop: then the handle had it, and let it go.
        assert!(handled.count() <= 1);
        assert!(!finished || handled.count() == 0);
        assert_eq!(pool.stats().panicked, 1);
    });
}
