//! A pool whose only worker can be held, so that tasks queue without running.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anthill::Pool;

use crate::timing::{self, BATCH};

/// A pool of one worker. It has slots for a batch, for the task that holds the worker, and for the
/// task that ends the measurement.
pub(crate) struct HeldPool {
    pub(crate) pool: Pool,
}

/// Holds the worker until released.
pub(crate) struct Hold {
    release: Sender<()>,
    released: Receiver<Instant>,
}

impl HeldPool {
    pub(crate) fn new() -> Self {
        let capacity = usize::try_from(BATCH + 2).expect("a batch is small");
        let builder = Pool::builder().capacity(capacity).threads(1..=1);
        let pool = builder.build().expect("valid settings");
        Self { pool }
    }

    /// Times `iters` calls of `enqueue` while the worker is held. Each may add one task.
    pub(crate) fn time_enqueue(&self, iters: u64, mut enqueue: impl FnMut()) -> Duration {
        timing::batches(iters, |size| {
            self.wait_until_empty();
            let hold = self.hold();
            let time = timing::steps(size, &mut enqueue);
            hold.release();
            time
        })
    }

    /// Times how long the worker takes to run `iters` tasks that were queued while it was held.
    ///
    /// `enqueue` adds one task. `enqueue_last` adds the task that sends its start time. One worker
    /// runs tasks in order of arrival, so this task runs last.
    pub(crate) fn time_run(
        &self,
        iters: u64,
        mut enqueue: impl FnMut(),
        mut enqueue_last: impl FnMut(Sender<Instant>),
    ) -> Duration {
        timing::batches(iters, |size| {
            self.wait_until_empty();
            let hold = self.hold();
            for _ in 0..size {
                enqueue();
            }
            let (last, ran) = mpsc::channel();
            enqueue_last(last);
            let released = hold.release();
            ran.recv().expect("the last task runs") - released
        })
    }

    /// Waits until the pool is empty. Otherwise a batch could find the pool full while its worker
    /// is held, and wait forever.
    pub(crate) fn wait_until_empty(&self) {
        while self.pool.in_flight() > 0 {
            thread::yield_now();
        }
    }

    /// Holds the worker after it has run all queued tasks.
    pub(crate) fn hold(&self) -> Hold {
        let (holds, held) = mpsc::channel();
        let (release, wait) = mpsc::channel();
        let (resumes, released) = mpsc::channel();
        let hold = move || {
            _ = holds.send(());
            _ = wait.recv();
            _ = resumes.send(Instant::now());
        };
        self.pool.submit(hold).expect("the pool is open");
        held.recv().expect("the task runs");
        Hold { release, released }
    }
}

impl Hold {
    /// Releases the worker, and returns when it resumed.
    pub(crate) fn release(self) -> Instant {
        self.release.send(()).expect("the task waits");
        self.released.recv().expect("the task ends")
    }
}
