//! Wakers are foreign code: they may panic, block, or call the pool.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Pool, Slot};

use crate::support::{Gate, PATIENCE, eventually, pool};

/// Returns a waker that panics without calling the panic hook.
fn spiteful() -> Waker {
    struct Spiteful;
    impl Wake for Spiteful {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    Arc::new(Spiteful).into()
}

/// Fills a pool of one slot, and lets a future with a spiteful waker and then a thread wait. Calls
/// `free` and returns whether the thread got a slot.
fn behind_a_spiteful_waker(free: impl FnOnce(&Pool, Slot<'_>)) -> bool {
    let pool = pool(1, 1);
    let slot = pool.try_slot().unwrap();
    let mut first = pin!(pool.slot());
    let waker = spiteful();
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let behind = {
        let pool = pool.clone();
        thread::spawn(move || pool.submit(|| ()).is_ok())
    };
    eventually(|| pool.stats().waiting == 2);
    free(&pool, slot);
    // The first waiter takes its grant, and drops it for the next.
    let _ = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    behind.join().unwrap()
}

#[test]
fn close_reaches_waiters_behind_a_panicking_waker() {
    assert!(!behind_a_spiteful_waker(|pool, _slot| pool.close()));
}

#[test]
fn larger_capacity_reaches_waiters_behind_a_panicking_waker() {
    assert!(behind_a_spiteful_waker(|pool, _slot| pool.set_capacity(3)));
}

#[test]
fn freed_slot_reaches_the_waiter_behind_a_panicking_waker() {
    assert!(behind_a_spiteful_waker(|_pool, slot| drop(slot)));
}

#[test]
fn waker_whose_drop_frees_a_slot_may_be_replaced() {
    struct Holds {
        _slot: Mutex<Slot<'static>>,
    }
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    let pool = pool(1, 1);
    let slot = pool.try_slot().unwrap().into_owned();
    let holding = Waker::from(Arc::new(Holds {
        _slot: Mutex::new(slot),
    }));
    let mut wait = pin!(pool.slot());
    assert!(
        wait.as_mut()
            .poll(&mut Context::from_waker(&holding))
            .is_pending()
    );
    drop(holding);
    // Drops the old waker, which is the last owner of the awaited slot.
    let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let granted = match polled {
        Poll::Ready(slot) => slot,
        Poll::Pending => crate::support::block_on(wait),
    };
    assert!(granted.is_ok());
}

#[test]
fn waker_may_submit_to_the_pool() {
    struct Submits(Pool, mpsc::Sender<bool>);
    impl Wake for Submits {
        fn wake(self: Arc<Self>) {
            self.1.send(self.0.try_submit(|| ()).is_ok()).unwrap();
        }
    }
    let pool = pool(1, 1);
    let (told, seen) = mpsc::channel();
    let held = pool.try_slot().unwrap();
    let waker = Waker::from(Arc::new(Submits(pool.clone(), told)));
    let mut wait = pin!(pool.slot());
    assert!(
        wait.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(held);
    assert!(!seen.recv().unwrap(), "the slot was granted to the waiter");
}

/// A waker whose drop lets the task end and waits for its end.
struct WaitsOnDrop {
    gate: Gate,
    pool: Pool,
    ended: mpsc::Sender<bool>,
}

impl Wake for WaitsOnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for WaitsOnDrop {
    fn drop(&mut self) {
        self.gate.open();
        let shut = self.pool.shutdown().wait_timeout(PATIENCE);
        let _ = self.ended.send(shut.is_ok());
    }
}

#[test]
fn replaced_waker_of_a_handle_is_dropped_outside_locks() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    let mut handle = pin!(pool.submit_with_handle(gate.waiter()).unwrap());
    let (ended, has_ended) = mpsc::channel();
    let waker = Waker::from(Arc::new(WaitsOnDrop { gate, pool, ended }));
    let polled = handle.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    let _ = handle
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(has_ended.recv().unwrap());
}

#[test]
fn waker_of_a_handle_is_dropped_outside_locks_by_a_join() {
    let (pool, gate) = (pool(1, 1), Gate::new());
    let mut handle = pool.submit_with_handle(gate.waiter()).unwrap();
    let (ended, has_ended) = mpsc::channel();
    let waker = Waker::from(Arc::new(WaitsOnDrop { gate, pool, ended }));
    let polled = pin!(&mut handle).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    let _ = handle.wait_timeout(PATIENCE);
    assert!(has_ended.recv().unwrap());
}

/// A waker that calls a closure.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// Runs `in_waker` as the waker of a shutdown, on the only thread of a pool while it exits, and calls
/// `meanwhile` at the same time.
fn in_waker_of_a_shutdown(
    in_waker: impl Fn(&Pool) + Send + Sync + 'static,
    meanwhile: impl FnOnce(&Pool),
) {
    let gate = Gate::new();
    let wait = gate.clone();
    // The stop hook holds the thread until the shutdown waits for it.
    let builder = Pool::builder().threads(1..=1);
    let pool = builder
        .on_thread_stop(move |_| wait.wait())
        .build()
        .unwrap();
    let own = pool.clone();
    let waker = Waker::from(Arc::new(Calls(move || in_waker(&own))));
    let shut = pool.clone();
    let mut shutdown = pin!(async move { shut.shutdown().await });
    let first = shutdown.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(first.is_pending());
    eventually(|| pool.stats().threads == 0);
    gate.open();
    meanwhile(&pool);
}

#[test]
fn waker_on_an_exiting_thread_may_reopen_the_pool() {
    let (said, heard) = mpsc::channel();
    in_waker_of_a_shutdown(
        move |pool| said.send(pool.reopen()).unwrap(),
        |pool| {
            assert_eq!(heard.recv_timeout(PATIENCE), Ok(Ok(())));
            pool.submit_with_handle(|| ()).unwrap().wait().unwrap();
            assert_eq!(pool.stats().threads_started, 2);
            pool.shutdown().wait().unwrap();
        },
    );
}

#[test]
fn shutdown_times_out_while_a_waker_blocks_a_thread() {
    let (said, heard) = mpsc::channel();
    let blocked = Gate::new();
    let wait = blocked.clone();
    in_waker_of_a_shutdown(
        move |_| {
            said.send(()).unwrap();
            wait.wait();
        },
        |pool| {
            heard.recv_timeout(PATIENCE).unwrap();
            let late = pool.shutdown().wait_timeout(Duration::from_millis(10));
            let late = late.expect_err("the thread has not exited").to_string();
            assert!(late.contains("a thread has yet to exit"), "{late}");
            blocked.open();
            assert_eq!(pool.shutdown().wait(), Ok(()));
        },
    );
}

#[test]
fn executor_may_poll_a_shutdown_in_its_waker() {
    /// A waker that polls its future.
    struct Inline(Mutex<Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>>);
    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            let waker = Waker::from(Arc::clone(&self));
            let mut future = self.0.lock().unwrap();
            if let Some(pending) = future.as_mut() {
                let polled = pending.as_mut().poll(&mut Context::from_waker(&waker));
                if polled.is_ready() {
                    *future = None;
                }
            }
        }
    }
    let gate = Gate::new();
    let wait = gate.clone();
    let builder = Pool::builder().threads(1..=1);
    let pool = builder
        .on_thread_stop(move |_| wait.wait())
        .build()
        .unwrap();
    let (said, heard) = mpsc::channel();
    let task = async move { said.send(pool.shutdown().await).unwrap() };
    Arc::new(Inline(Mutex::new(Some(Box::pin(task))))).wake();
    gate.open();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(Ok(())));
}
