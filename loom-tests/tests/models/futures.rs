//! I11: a future woken during its poll is polled again, and a finished future is never polled.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use loom::sync::mpsc::channel;
use loom_tests::{Record, check, check_within, other, pool};

#[test]
fn future_woken_during_its_poll_is_polled_again() {
    check_within(1, || {
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
            // The other thread wakes the future during this poll or after it.
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
fn late_wake_does_not_poll_a_finished_future() {
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
fn future_that_wakes_itself_is_polled_again() {
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
fn future_that_keeps_waking_itself_delays_no_closure() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (over, polls) = (Record::new(), Record::new());
        let (seen, count) = (over.clone(), polls.clone());
        let (send, polled) = channel();
        // The future stays in the worker's own queue, while the closure is in the shared queue.
        pool.spawn(poll_fn(move |cx| {
            if seen.count() > 0 {
                return Poll::Ready(());
            }
            count.add();
            if count.count() == 6 {
                send.send(()).unwrap();
            }
            loom::thread::yield_now();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
        .unwrap();
        polled.recv().unwrap();
        pool.submit(over.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}
