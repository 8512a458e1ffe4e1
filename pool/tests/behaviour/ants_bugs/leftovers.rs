//! Refused calls, finished tasks and closed pools leave no lock, memory or thread behind.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use anthill::Pool;

use crate::support::{block_on, eventually};

/// ants #79: an early return kept the lock.
#[test]
fn every_refusal_leaves_a_working_pool() {
    let builder = Pool::builder().capacity(1).threads(0..=1).max_waiting(1);
    let pool = builder.build().unwrap();
    for _ in 0..50 {
        let held = pool.try_slot().unwrap();
        assert!(pool.try_submit(|| ()).is_err());
        assert!(
            pool.slot()
                .wait_timeout(Duration::ZERO)
                .map(|slot| slot.submit(|| ()))
                .is_err()
        );
        assert!(block_on(async {
            let mut waits = std::pin::pin!(pool.slot());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(waits.as_mut().poll(&mut cx).is_pending());
            pool.submit(|| ()).is_err()
        }));
        drop(held);
        let own = pool.clone();
        let nested = pool.submit_with_handle(move || own.submit(|| ()).is_err());
        assert!(nested.unwrap().wait().unwrap());
        eventually(|| pool.in_flight() == 0);
        pool.close();
        assert!(pool.submit(|| ()).is_err());
        pool.reopen().unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
    assert_eq!((stats.rejected_full, stats.rejected_timeout), (100, 50));
    assert_eq!(
        (stats.rejected_closed, stats.rejected_would_deadlock),
        (50, 50)
    );
}

/// ants #107: the list of idle workers still referred to removed workers.
#[test]
fn idle_worker_keeps_no_captures_of_its_tasks() {
    let pool = Pool::builder().threads(4..=4).build().unwrap();
    let owned = Arc::new([0_u8; 1000]);
    for _ in 0..100 {
        let inside = Arc::clone(&owned);
        let by_value = *owned;
        pool.submit(move || assert_eq!(by_value, *inside)).unwrap();
        let inside = Arc::clone(&owned);
        pool.submit(move || resume_unwind(Box::new(inside)))
            .unwrap();
        let inside = Arc::clone(&owned);
        pool.spawn(async move { drop(inside) }).unwrap();
    }
    eventually(|| pool.in_flight() == 0);
    eventually(|| Arc::strong_count(&owned) == 1);
    let stats = pool.stats();
    // A fifth thread may have polled futures while closures occupied the four.
    assert!(stats.threads >= 4);
    assert_eq!(stats.completed, 200);
}

/// ants #212, #263, #285, #287: its helpers outlived a release.
#[test]
fn nothing_is_left_after_the_end_of_a_pool() {
    let held = Arc::new(());
    let witness = Arc::downgrade(&held);
    let builder = Pool::builder().threads(2..=4);
    let builder = builder.panic_handler(move |_| _ = &held);
    let pool = builder.build().unwrap();
    pool.submit(|| ()).unwrap();
    let other_end = pool.clone();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().threads, 0);
    drop((pool, other_end));
    // A thread that is left would keep the shared state alive, and with it the handler.
    eventually(|| witness.upgrade().is_none());
}
