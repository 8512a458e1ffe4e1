//! Helpers that the tests share.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anthill::Pool;

/// How long a test waits for an event that must occur, even on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A pool of `capacity` slots on up to `threads` threads.
pub(crate) fn pool(capacity: usize, threads: usize) -> Pool {
    Pool::builder()
        .capacity(capacity)
        .threads(0..=threads)
        .build()
        .unwrap()
}

/// A gate at which tasks wait.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn close(&self) {
        *self.0.0.lock().unwrap() = false;
    }

    pub(crate) fn wait(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }

    /// Returns a closure that waits until the gate is open.
    pub(crate) fn waiter(&self) -> impl FnOnce() + Send + 'static + use<> {
        let gate = self.clone();
        move || gate.wait()
    }
}

/// Occupies a worker of `pool` until the gate opens. Returns once the worker is occupied.
pub(crate) fn occupy(pool: &Pool, gate: &Gate) {
    let (said, begun) = mpsc::channel();
    let wait = gate.waiter();
    pool.submit(move || {
        said.send(()).unwrap();
        wait();
    })
    .unwrap();
    begun.recv().unwrap();
}

/// Returns once `condition` holds. Panics after [`PATIENCE`], so that a broken promise is a failure
/// and not a hang. No test depends on this time otherwise.
#[track_caller]
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came true");
        thread::yield_now();
    }
}

/// Polls a future on this thread until it is done.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Yields the worker once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
