//! Futures: the same slots and threads as closures, and a slot kept while suspended.

mod support;

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use anthill::SubmitError;
use support::{Gate, block_on, eventually, pool, yield_now};

/// A future that is suspended until it is told to go on, and the means to tell it.
fn suspended() -> (
    impl Future<Output = ()> + Send + 'static,
    impl Fn() + Send + 'static,
) {
    let shared = Arc::new((AtomicBool::new(false), Mutex::new(None::<Waker>)));
    let wake = {
        let shared = Arc::clone(&shared);
        move || {
            shared.0.store(true, Ordering::Release);
            if let Some(waker) = shared.1.lock().unwrap().take() {
                waker.wake();
            }
        }
    };
    let future = poll_fn(move |cx| {
        *shared.1.lock().unwrap() = Some(cx.waker().clone());
        if shared.0.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    (future, wake)
}

#[test]
fn futures_run_to_their_end() {
    let pool = pool(100, 3);
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..1000 {
        let ended = Arc::clone(&ended);
        pool.spawn(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            ended.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    }
    pool.shutdown().unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1000);
    assert_eq!(pool.stats().completed, 1000);
}

#[test]
fn a_suspended_future_keeps_its_slot_and_no_thread() {
    let pool = pool(2, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    let (ran, seen) = mpsc::channel();
    // The only thread is free for it.
    pool.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    eventually(|| pool.stats().idle_threads == 1);
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.running, stats.queued), (1, 0, 0));
    wake();
    pool.shutdown().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn a_future_woken_by_another_thread_after_the_close_still_ends() {
    let pool = pool(1, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    pool.close();
    let waker = thread::spawn(wake);
    pool.shutdown().unwrap();
    waker.join().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn a_stream_of_submits_from_outside_does_not_starve_a_woken_future() {
    let pool = pool(64, 1);
    let (ended, seen) = mpsc::channel();
    pool.spawn(async move {
        for _ in 0..100 {
            yield_now().await;
        }
        ended.send(()).unwrap();
    })
    .unwrap();
    while seen.try_recv().is_err() {
        pool.submit(|| ()).unwrap();
    }
}

#[test]
fn futures_that_wake_each_other_for_ever_do_not_starve_a_submit_from_outside() {
    let pool = pool(64, 1);
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..4 {
        let stop = Arc::clone(&stop);
        pool.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                yield_now().await;
            }
        })
        .unwrap();
    }
    let (ran, seen) = mpsc::channel();
    pool.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    stop.store(true, Ordering::Relaxed);
    pool.shutdown().unwrap();
}

#[test]
fn waiting_for_a_slot_without_a_thread() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let submitter = {
        let pool = pool.clone();
        thread::spawn(move || block_on(pool.submit_async(|| ())))
    };
    eventually(|| pool.stats().waiting == 1);
    gate.open();
    submitter.join().unwrap().unwrap();
    block_on(pool.spawn_async(async {})).unwrap();
    drop(block_on(pool.slot_async()).unwrap());
    pool.shutdown().unwrap();
    assert_eq!(pool.stats().completed, 3);
}

#[test]
fn dropping_a_wait_gives_up_the_place_in_line() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    {
        let mut wait = pin!(pool.submit_async(|| ()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert_eq!(pool.stats().waiting, 1);
    }
    assert_eq!(pool.stats().waiting, 0);
    drop(held);
    pool.try_submit(|| ()).unwrap();
}

#[test]
fn a_slot_granted_to_a_wait_that_is_dropped_goes_to_the_next() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut second = pin!(pool.slot_async());
    {
        let mut first = pin!(pool.slot_async());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(held);
        assert!(
            second.as_mut().poll(&mut cx).is_pending(),
            "the first in line comes first"
        );
    }
    assert!(second.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn closing_ends_the_wait_of_a_future() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let mut wait = pin!(pool.spawn_async(pending::<()>()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    pool.close();
    let Poll::Ready(Err(SubmitError::Closed(_handed_back))) = wait.as_mut().poll(&mut cx) else {
        panic!("a close ends every wait");
    };
    drop(held);
}

#[test]
fn a_future_whose_wakers_are_gone_gives_its_slot_back() {
    let pool = pool(1, 1);
    let dropped = Arc::new(());
    let owned = Arc::clone(&dropped);
    pool.spawn(async move {
        // Nobody keeps the waker, so nobody can ever go on with it.
        pending::<()>().await;
        drop(owned);
    })
    .unwrap();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(Arc::strong_count(&dropped), 1);
    assert_eq!(pool.stats().cancelled, 1);
    pool.shutdown().unwrap();
}
