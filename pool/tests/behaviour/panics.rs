//! A panic ends its task alone, and is reported.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use anthill::{Pool, TaskPanic};

use crate::support::{Gate, pool};

/// Returns a pool with one thread, and the receiver of its panics.
fn reporting() -> (Pool, mpsc::Receiver<TaskPanic>) {
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().name("careful").capacity(4).threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    (pool, reports)
}

#[test]
fn handler_gets_payload_and_pool() {
    let (pool, reports) = reporting();
    pool.submit(|| panic!("a {} message", "formatted")).unwrap();
    let panic = reports.recv().unwrap();
    assert_eq!(panic.message(), Some("a formatted message"));
    assert_eq!(panic.pool(), "careful");
    assert_eq!(
        panic.to_string(),
        "a task of pool `careful` panicked: a formatted message"
    );

    pool.submit(|| std::panic::panic_any(7_u32)).unwrap();
    let panic = reports.recv().unwrap();
    assert_eq!(panic.message(), None);
    assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u32));
}

#[test]
fn panicking_future_is_reported_and_dropped() {
    let (pool, reports) = reporting();
    let owned = Arc::new(());
    let inside = Arc::clone(&owned);
    pool.spawn(async move {
        crate::support::yield_now().await;
        drop(inside);
        panic!("in the second poll");
    })
    .unwrap();
    assert_eq!(
        reports.recv().unwrap().message(),
        Some("in the second poll")
    );
    pool.shutdown().wait().unwrap();
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!((pool.stats().panicked, pool.in_flight()), (1, 0));
}

#[test]
fn thread_and_slot_survive_thousands_of_panics() {
    let pool = pool(2, 1);
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..2_000 {
        let ran = Arc::clone(&ran);
        pool.submit(move || {
            ran.fetch_add(1, Ordering::Relaxed);
            // Panics without calling the panic hook, which would print.
            std::panic::resume_unwind(Box::new("on purpose"));
        })
        .unwrap();
    }
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(
        (stats.panicked, stats.completed, stats.in_flight),
        (2_000, 0, 0)
    );
    assert_eq!(ran.load(Ordering::Relaxed), 2_000);
    assert_eq!(stats.threads_started, 1);
}

#[test]
fn handler_that_panics_is_contained() {
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool = builder
        .panic_handler(|_| panic!("so does the handler"))
        .build()
        .unwrap();
    pool.submit(|| panic!("the task panics")).unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(
        (stats.panicked, stats.handler_panics, stats.completed),
        (1, 1, 1)
    );
}

#[test]
fn payload_that_panics_when_dropped_is_contained() {
    struct Spiteful;
    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("not even this");
        }
    }
    let pool = pool(1, 1);
    pool.submit(|| std::panic::panic_any(Spiteful)).unwrap();
    pool.submit(|| ()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().panicked, pool.stats().completed), (1, 1));
}

#[test]
fn future_that_panics_when_dropped_is_reported() {
    struct Fragile;
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("when dropped");
        }
    }
    let (pool, reports) = reporting();
    let fragile = Fragile;
    let ready = std::future::poll_fn(move |_| {
        let _inside = &fragile;
        std::task::Poll::Ready(())
    });
    pool.spawn(ready).unwrap();
    assert_eq!(reports.recv().unwrap().message(), Some("when dropped"));
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn suspended_future_that_panics_when_dropped_is_reported() {
    struct Fragile;
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("when dropped");
        }
    }
    let (pool, reports) = reporting();
    pool.spawn(async {
        let fragile = Fragile;
        // Nothing keeps its waker, so the pool drops it.
        std::future::pending::<()>().await;
        drop(fragile);
    })
    .unwrap();
    assert_eq!(reports.recv().unwrap().message(), Some("when dropped"));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().cancelled, pool.in_flight()), (1, 0));
}

#[test]
fn handler_sees_consistent_stats() {
    let (told, seen) = mpsc::channel();
    let asked = Arc::new(Mutex::new(None::<Pool>));
    let handler = {
        let asked = Arc::clone(&asked);
        move |_| {
            // Takes the pool out, or the handler and the pool keep each other alive.
            let stats = asked.lock().unwrap().take().unwrap().stats();
            told.send((stats.accepted, stats.panicked, stats.in_flight))
                .unwrap();
        }
    };
    let pool = Pool::builder()
        .capacity(1)
        .threads(0..=1)
        .panic_handler(handler)
        .build()
        .unwrap();
    *asked.lock().unwrap() = Some(pool.clone());
    pool.submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    assert_eq!(seen.recv().unwrap(), (1, 1, 1));
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().accepted, 1);
}

#[test]
fn shutdown_waits_for_the_handler() {
    let gate = Gate::new();
    let (begun, seen) = mpsc::channel();
    let count = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (gate, count) = (gate.clone(), Arc::clone(&count));
        move |_| {
            begun.send(()).unwrap();
            gate.wait();
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let builder = Pool::builder()
        .capacity(1)
        .threads(0..=1)
        .panic_handler(handler);
    let pool = builder.build().unwrap();
    pool.submit(|| std::panic::resume_unwind(Box::new(())))
        .unwrap();
    seen.recv().unwrap();
    let waited = pool
        .shutdown()
        .wait_timeout(std::time::Duration::from_millis(5));
    assert!(waited.is_err(), "the handler was still at work");
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
}
