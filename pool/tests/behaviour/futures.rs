//! Futures use the same slots and threads as closures, and keep their slot while suspended.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use crate::support::{eventually, pool, yield_now};

/// Returns a future that suspends until the returned function is called.
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
    pool.shutdown().wait().unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1000);
    assert_eq!(pool.stats().completed, 1000);
}

#[test]
fn suspended_future_keeps_its_slot_and_no_thread() {
    let pool = pool(2, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    let (ran, seen) = mpsc::channel();
    // The future keeps no thread, so the closure runs.
    pool.submit(move || ran.send(()).unwrap()).unwrap();
    seen.recv().unwrap();
    eventually(|| {
        let stats = pool.stats();
        (stats.in_flight, stats.running, stats.queued) == (1, 0, 0)
            && stats.idle_threads == stats.threads
    });
    wake();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn future_woken_after_the_close_still_ends() {
    let pool = pool(1, 1);
    let (future, wake) = suspended();
    pool.spawn(future).unwrap();
    pool.close();
    let waker = thread::spawn(wake);
    pool.shutdown().wait().unwrap();
    waker.join().unwrap();
    assert_eq!(pool.stats().completed, 1);
}

#[test]
fn stream_of_submits_does_not_starve_a_woken_future() {
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
fn futures_that_always_yield_do_not_starve_a_submit() {
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
    pool.shutdown().wait().unwrap();
}

#[test]
fn future_without_wakers_releases_its_slot() {
    let pool = pool(1, 1);
    let dropped = Arc::new(());
    let owned = Arc::clone(&dropped);
    pool.spawn(async move {
        // The waker is dropped, so the future can never be woken.
        pending::<()>().await;
        drop(owned);
    })
    .unwrap();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(Arc::strong_count(&dropped), 1);
    assert_eq!(pool.stats().cancelled, 1);
    pool.shutdown().wait().unwrap();
}
