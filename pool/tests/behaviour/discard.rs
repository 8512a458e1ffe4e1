//! `discard` closes a pool and drops the tasks that have not begun.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anthill::{Group, JoinError, Pool, ReopenError, ShutdownError, SlotError};

use crate::support::{Gate, PATIENCE, eventually, occupy, pool};

/// Returns a pool with one thread, which is busy until the gate opens.
fn busy(capacity: usize) -> (anthill::Pool, Gate) {
    let (pool, gate) = (pool(capacity, 1), Gate::new());
    occupy(&pool, &gate);
    (pool, gate)
}

/// Returns a pool whose only thread and thread for futures are busy until the gate opens.
fn busy_with_both(capacity: usize) -> (anthill::Pool, Gate) {
    let (pool, gate) = busy(capacity);
    let wait = gate.clone();
    pool.spawn(async move { wait.wait() }).unwrap();
    eventually(|| pool.stats().running_futures == 1);
    (pool, gate)
}

#[test]
fn discard_drops_unstarted_tasks_before_it_returns() {
    let (pool, gate) = busy_with_both(10);
    let owned = Arc::new(());
    for _ in 0..4 {
        let owned = Arc::clone(&owned);
        pool.submit(move || drop(owned)).unwrap();
    }
    let inside = Arc::clone(&owned);
    pool.spawn(async move { drop(inside) }).unwrap();
    pool.discard();
    assert_eq!(Arc::strong_count(&owned), 1);
    let stats = pool.stats();
    assert_eq!((stats.discarded, stats.in_flight), (5, 2));
    assert!(matches!(pool.submit(|| ()), Err(SlotError::Closed)));
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn discard_cancels_the_handles_of_its_tasks() {
    let (pool, gate) = busy_with_both(10);
    let closure = pool.submit_with_handle(|| 1).unwrap();
    let future = pool.spawn_with_handle(async { 2 }).unwrap();
    let third = pool.strand();
    third.submit(|| unreachable!()).unwrap();
    third.spawn(async { unreachable!() }).unwrap();
    pool.discard();
    assert!(matches!(closure.wait(), Err(JoinError::Cancelled)));
    assert!(matches!(future.wait(), Err(JoinError::Cancelled)));
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().discarded, 4);
}

#[test]
fn discarded_suspended_future_is_dropped_when_woken() {
    let pool = pool(2, 1);
    let (said, heard) = mpsc::channel();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let suspended = std::future::poll_fn(move |cx| {
        count.fetch_add(1, Ordering::Relaxed);
        said.send(cx.waker().clone()).unwrap();
        std::task::Poll::<()>::Pending
    });
    pool.spawn(suspended).unwrap();
    let waker = heard.recv().unwrap();
    pool.discard();
    assert_eq!(pool.reopen(), Err(ReopenError::Discarding));
    waker.wake();
    pool.shutdown().wait().unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    assert_eq!(pool.stats().discarded, 1);
    assert_eq!(pool.reopen(), Ok(()));
    assert_eq!(
        pool.submit_with_handle(|| 3).unwrap().wait().unwrap(),
        3,
        "the new life discards nothing"
    );
}

#[test]
fn subpool_discards_only_its_own_tasks() {
    let (pool, gate) = busy(10);
    let side = pool.subpool().capacity(10).build().unwrap();
    let mine = pool.submit_with_handle(|| 1).unwrap();
    let theirs = side.submit_with_handle(|| 2).unwrap();
    side.discard();
    gate.open();
    assert_eq!(mine.wait().unwrap(), 1);
    assert!(matches!(theirs.wait(), Err(JoinError::Cancelled)));
    side.shutdown().wait().unwrap();
    assert!(!pool.is_closed());
}

#[test]
fn panic_of_a_discarded_capture_spares_other_tasks() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let (pool, gate) = busy(10);
    let bomb = Bomb;
    pool.submit(move || std::mem::forget(bomb)).unwrap();
    let behind = pool.submit_with_handle(|| ()).unwrap();
    pool.discard();
    assert!(matches!(behind.wait(), Err(JoinError::Cancelled)));
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().discarded, 2);
}

#[test]
fn worker_may_discard_its_own_pool() {
    let pool = pool(10, 1);
    let own = pool.clone();
    let (said, heard) = mpsc::channel();
    pool.submit(move || {
        for _ in 0..3 {
            own.try_submit(|| unreachable!()).unwrap();
        }
        own.discard();
        said.send(own.shutdown().wait()).unwrap();
    })
    .unwrap();
    assert_eq!(heard.recv().unwrap(), Err(ShutdownError::FromWorker));
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.discarded, stats.completed), (3, 1));
}

#[test]
fn worker_that_discards_another_pool_stays_a_worker() {
    let (pool, other) = (pool(1, 1), pool(1, 1));
    let own = pool.clone();
    let (said, heard) = mpsc::channel();
    pool.submit(move || {
        other.discard();
        said.send(own.slot().wait().map(drop)).unwrap();
    })
    .unwrap();
    assert_eq!(heard.recv().unwrap(), Err(SlotError::WouldDeadlock));
}

#[test]
fn wait_for_a_discarded_task_does_not_run_it() {
    let pool = pool(8, 2);
    let side = pool.subpool().capacity(4).build().unwrap();
    let own = side.clone();
    let ran_elsewhere = side.submit_with_handle(move || {
        // The other worker takes it at once, or drops it.
        let here = std::thread::current().id();
        let part = own.submit_with_handle(move || std::thread::current().id() == here);
        own.discard();
        !part.unwrap().wait().unwrap_or(false)
    });
    assert!(ran_elsewhere.unwrap().wait().unwrap());
}

#[test]
fn exiting_thread_may_discard() {
    struct AtTheEnd(Option<anthill::Pool>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            if let Some(pool) = self.0.take() {
                pool.discard();
            }
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<AtTheEnd> = const { std::cell::RefCell::new(AtTheEnd(None)) };
    }
    let (pool, gate) = busy(10);
    let behind = pool.submit_with_handle(|| ()).unwrap();
    let own = pool.clone();
    // Before the pool's own thread-local, and so dropped after it.
    let ends = std::thread::spawn(move || {
        LAST.with(|last| last.borrow_mut().0 = Some(own.clone()));
        own.try_submit(|| ()).unwrap();
    });
    ends.join().unwrap();
    assert!(matches!(behind.wait(), Err(JoinError::Cancelled)));
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().discarded, 2);
}

/// Runs `f` in a task of the only worker, at the pool's own entrance and at a subpool, once it is discarding.
fn in_a_task_of_each_discarding_entrance(f: fn(&Pool)) {
    let pool = || pool(10, 1);
    let subpool = || {
        let (pool, keeps) = (pool(), 10);
        let subpool = pool.subpool().capacity(keeps).build().unwrap();
        (subpool, Some(pool))
    };
    for (entrance, pool) in [(pool(), None), subpool()] {
        let own = entrance.clone();
        let task = entrance.submit_with_handle(move || f(&own)).unwrap();
        task.wait_timeout(PATIENCE)
            .expect("it does not hang")
            .unwrap();
        entrance.shutdown().wait().unwrap();
        drop(pool);
    }
}

#[test]
fn task_may_wait_for_tasks_that_it_discarded() {
    in_a_task_of_each_discarding_entrance(|pool| {
        let closure = pool.submit_with_handle(|| 1).unwrap();
        let future = pool.spawn_with_handle(async { 2 }).unwrap();
        let late = pool.try_slot().unwrap();
        pool.discard();
        // After the discard has gone through the queues.
        late.submit(|| ());
        assert!(matches!(closure.wait(), Err(JoinError::Cancelled)));
        assert!(matches!(future.wait(), Ok(2) | Err(JoinError::Cancelled)));
    });
}

#[test]
fn task_may_wait_for_a_group_that_it_discarded() {
    in_a_task_of_each_discarding_entrance(|pool| {
        let mut group = Group::new();
        group.push(pool.submit_with_handle(|| 1).unwrap());
        group.push(pool.submit_with_handle(|| 2).unwrap());
        pool.discard();
        assert!(matches!(group.wait().values(), Err(JoinError::Cancelled)));
    });
}

#[test]
fn scope_in_a_task_ends_after_a_discard() {
    in_a_task_of_each_discarding_entrance(|pool| {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                scope.submit(|| ()).unwrap();
                pool.discard();
            });
        }));
        assert!(ended.is_err(), "its task was discarded");
    });
}

#[test]
fn panic_of_a_capture_dropped_by_a_waiter_is_reported() {
    struct Spiteful;
    impl Drop for Spiteful {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().threads(1..=1);
    let pool = builder.panic_handler(move |panic| report.send(panic).unwrap());
    let pool = pool.build().unwrap();
    let subpool = pool.subpool().capacity(2).build().unwrap();
    let own = subpool.clone();
    let waits = subpool.submit_with_handle(move || {
        let spiteful = Spiteful;
        let inner = own.submit_with_handle(move || drop(spiteful)).unwrap();
        own.discard();
        inner.wait()
    });
    let joined = waits.unwrap().wait().unwrap();
    assert!(matches!(joined, Err(JoinError::Cancelled)));
    reports.recv_timeout(PATIENCE).unwrap();
    subpool.shutdown().wait().unwrap();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(
        (stats.completed, stats.discarded, stats.cancelled),
        (1, 1, 0)
    );
    assert_eq!(stats.panicked, 0);
}
