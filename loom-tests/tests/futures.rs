//! I11: a future that is woken while it is being polled is polled again; once done, never.
#![cfg(anthill_loom)]

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::sync::mpsc::channel;
use loom_tests::{Record, check, check_within, other, pool};

#[test]
fn a_future_woken_while_it_is_polled_is_polled_again() {
    check(|| {
        let pool = pool(1, 2);
        let (give, take) = channel::<Waker>();
        let waking = other(move || take.recv().unwrap().wake());
        let polls = Record::new();
        let (count, mut give) = (polls.clone(), Some(give));
        pool.spawn(poll_fn(move |cx| {
            count.add();
            let Some(give) = give.take() else {
                return Poll::Ready(());
            };
            // From here on the other thread wakes it, during this poll or after.
            give.send(cx.waker().clone()).unwrap();
            loom::thread::yield_now();
            Poll::Pending
        }))
        .unwrap();
        pool.shutdown().wait().unwrap();
        waking.join().unwrap();
        assert_eq!(polls.count(), 2);
    });
}

#[test]
fn a_future_that_is_done_is_not_polled_by_a_late_waker() {
    check(|| {
        let pool = pool(1, 1);
        let (give, take) = channel::<Waker>();
        let waking = other(move || {
            let waker = take.recv().unwrap();
            waker.wake_by_ref();
            waker.wake();
        });
        let polls = Record::new();
        let count = polls.clone();
        let task = pool.spawn_with_handle(poll_fn(move |cx| {
            count.add();
            give.send(cx.waker().clone()).unwrap();
            Poll::Ready(())
        }));
        task.unwrap().wait().unwrap();
        waking.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(polls.count(), 1);
    });
}

#[test]
fn a_future_that_wakes_itself_goes_on() {
    check(|| {
        let pool = pool(1, 1);
        let polls = Record::new();
        let count = polls.clone();
        pool.spawn(poll_fn(move |cx| {
            count.add();
            if count.count() == 3 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
        .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(polls.count(), 3);
    });
}

#[test]
fn one_that_wakes_itself_for_ever_keeps_nobody_waiting() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (over, polls) = (Record::new(), Record::new());
        let (seen, count) = (over.clone(), polls.clone());
        let (tell, told) = channel();
        // It stays in the worker's own queue, and the closure comes into the common one.
        pool.spawn(poll_fn(move |cx| {
            if seen.count() > 0 {
                return Poll::Ready(());
            }
            count.add();
            if count.count() == 6 {
                tell.send(()).unwrap();
            }
            loom::thread::yield_now();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
        .unwrap();
        told.recv().unwrap();
        pool.submit(over.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}
