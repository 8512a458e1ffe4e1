//! Closes, shuts down and reopens a pool.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::engine::{OnClose, Scheduler};
use crate::errors::{ReopenError, ShutdownError, Unfinished};
use crate::pool::handle::Pool;
use crate::sync::Arc;
use crate::wait::Waiter;
use crate::wait::blocking;

/// Closing and reopening.
impl Pool {
    /// Closes the pool: it accepts no more tasks, and waiting submitters get `Closed`. Accepted
    /// tasks run to their end. Does not block. Closes the pool's subpools too. Closing again does
    /// nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.close();
    /// assert!(pool.submit(|| println!("too late")).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        self.end_life(OnClose::Run);
    }

    /// Closes the pool and drops the tasks that have not begun. Their handles return
    /// [`JoinError::Cancelled`](crate::JoinError::Cancelled), and
    /// [`Stats::discarded`](crate::Stats::discarded) counts them. A running closure goes on. A
    /// suspended future is dropped when it is next woken. On a closed pool, drops the tasks that
    /// are left.
    ///
    /// On a pool the calling thread drops the tasks before it returns, unless a worker is just
    /// taking one. On a subpool the workers drop each task when they reach it. Tasks behind a
    /// suspended future of a strand are dropped after that future ends.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().threads(0..=1).build()?;
    /// let (go, wait) = std::sync::mpsc::channel::<()>();
    /// let (begun, begins) = std::sync::mpsc::channel();
    /// pool.submit(move || {
    ///     begun.send(()).unwrap();
    ///     _ = wait.recv();
    /// })?;
    /// begins.recv()?;
    /// let behind = pool.submit_with_handle(|| unreachable!())?;
    /// pool.discard();
    /// assert!(behind.wait().is_err());
    /// drop(go);
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.stats().discarded, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn discard(&self) {
        self.end_life(OnClose::Discard);
        if self.gate().subpool.is_none() {
            self.gate().scheduler.discard_queued();
        }
    }

    /// Returns whether the pool is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// assert!(!pool.is_closed());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate().entrance().slots.is_closed()
    }

    /// Closes the pool and returns a value that waits for its end: await it, or block a thread with
    /// its `wait`.
    ///
    /// The pool has ended when every accepted task has ended, its panic handler has returned, and
    /// all threads have exited. A subpool has no threads of its own, so its shutdown waits only for
    /// tasks. To drop tasks that have not begun, call [`discard`](Self::discard) first.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.submit(|| println!("done before the end"))?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self) -> Shutdown<'_> {
        Shutdown {
            pool: self,
            life: self.end_life(OnClose::Run),
            watcher: None,
        }
    }

    /// Registers a waiter for changes. Check the state after this, or a change is missed.
    fn watch(&self, waiter: Waiter) -> Watcher<'_> {
        let watcher = Watcher {
            scheduler: &self.gate().scheduler,
            waiter: Arc::new(waiter),
        };
        watcher.scheduler.watchers.add(&watcher.waiter);
        watcher
    }

    /// Returns how the pool ended, or that it was reopened since `life`. `None` while it has not
    /// ended.
    fn ended(&self, life: u64) -> Option<Result<(), ShutdownError>> {
        if self.has_ended() {
            return Some(Ok(()));
        }
        let reopened = self.gate().entrance().reopened.get() != life;
        reopened.then_some(Err(ShutdownError::Reopened))
    }

    fn has_ended(&self) -> bool {
        match &self.gate().subpool {
            Some(entrance) => entrance.slots.is_drained(),
            None => self.gate().scheduler.is_gone(),
        }
    }

    /// Joins the threads of a pool that has ended. The threads of a subpool belong to its pool and
    /// stay.
    fn join_threads(&self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        let gate = self.gate();
        if gate.subpool.is_some() || gate.scheduler.started.join_all(deadline) {
            Ok(())
        } else {
            Err(self.timeout())
        }
    }

    fn timeout(&self) -> ShutdownError {
        ShutdownError::Timeout(Box::new(Unfinished {
            stats: self.stats(),
            tasks: self.gate().scheduler.names.lock().list(),
        }))
    }

    /// Reopens a closed pool, at any time. Tasks from before go on, and hold their slots until they
    /// end. On an open pool it does nothing. Subpools stay closed until they are reopened
    /// themselves.
    ///
    /// Capacity and settings stay, and the counters of [`stats`](Self::stats) go on.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.shutdown().wait()?;
    /// pool.reopen()?;
    /// pool.submit(|| println!("reopened"))?;
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReopenError::Discarding`] until all tasks that a [`discard`](Self::discard) found have
    /// ended, and [`ReopenError::PoolClosed`] for a subpool of a closed pool.
    pub fn reopen(&self) -> Result<(), ReopenError> {
        let gate = self.gate();
        gate.scheduler.reopen(gate.subpool.as_ref())
    }
}

/// Waits for the end of a pool, from [`Pool::shutdown`].
///
/// In async code, `.await` it: no thread blocks. It completes when every task has ended and each
/// thread has run the destructors of its thread-locals. The last thread wakes the future, so the
/// operating system may list that thread for a moment longer.
///
/// On a thread, call [`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout) or
/// [`wait_deadline`](Self::wait_deadline), which also join the threads. The pool stays closed if
/// this value is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// pool.slot().await?.submit(|| println!("done before the end"));
/// pool.shutdown().await?;
/// assert_eq!(pool.stats().completed, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "the pool is closed, but nothing waits for its tasks"]
pub struct Shutdown<'a> {
    pool: &'a Pool,
    /// How often the pool was reopened before.
    life: u64,
    watcher: Option<Watcher<'a>>,
}

impl Shutdown<'_> {
    /// Blocks the calling thread until the pool has ended. In async code, use `.await`, above all
    /// on a thread whose runtime the tasks need.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.stats().threads, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShutdownError::FromWorker`] if a thread of this pool calls, because it would wait for
    /// itself: in a task, a hook or the destructor of a thread-local. [`ShutdownError::Reopened`]
    /// if the pool is reopened meanwhile.
    ///
    /// # Panics
    ///
    /// With the feature `tokio`, if it has to block and the calling thread drives async tasks of
    /// tokio.
    pub fn wait(self) -> Result<(), ShutdownError> {
        self.wait_until(None)
    }

    /// Blocks the calling thread until the pool has ended, for at most `timeout`. Remaining tasks
    /// go on, and the pool can be shut down again.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// if let Err(late) = pool.shutdown().wait_timeout(std::time::Duration::from_secs(5)) {
    ///     eprintln!("{late}"); // how many tasks are left, and the names of those that have one
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`] with the remaining tasks, or the errors of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), ShutdownError> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Blocks the calling thread until the pool has ended, at the latest until `deadline`.
    /// Remaining tasks go on, and the pool can be shut down again.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.shutdown().wait_deadline(Instant::now() + Duration::from_secs(60))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`] with the remaining tasks, or the errors of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), ShutdownError> {
        self.wait_until(Some(deadline))
    }

    pub(crate) fn wait_until(self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        self.block_until(deadline, blocking::check)
    }

    /// Blocks until the pool has ended. Calls `before_blocking` first, if it has to block.
    pub(super) fn block_until(
        self,
        deadline: Option<Instant>,
        before_blocking: fn(),
    ) -> Result<(), ShutdownError> {
        self.check_thread()?;
        loop {
            let watcher = self.pool.watch(Waiter::thread());
            if let Some(ended) = self.pool.ended(self.life) {
                drop(watcher);
                return ended.and_then(|()| self.pool.join_threads(deadline));
            }
            before_blocking();
            if watcher.waiter.wait(deadline).is_none() {
                return Err(self.pool.timeout());
            }
        }
    }

    /// Returns an error on a thread of the pool, which must not wait for its own end.
    fn check_thread(&self) -> Result<(), ShutdownError> {
        if self.pool.gate().scheduler.is_home() {
            return Err(ShutdownError::FromWorker);
        }
        Ok(())
    }
}

impl Future for Shutdown<'_> {
    type Output = Result<(), ShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.check_thread()?;
        loop {
            let pool = this.pool;
            let watcher = this
                .watcher
                .get_or_insert_with(|| pool.watch(Waiter::task(cx.waker())));
            let outcome = watcher.waiter.poll(cx);
            if let Some(ended) = pool.ended(this.life) {
                this.watcher = None;
                // This may be the waker of the last thread, which cannot join itself.
                pool.gate().scheduler.started.join_exited();
                return Poll::Ready(ended);
            }
            if outcome.is_pending() {
                return Poll::Pending;
            }
            this.watcher = None;
        }
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("pool", self.pool)
            .finish_non_exhaustive()
    }
}

/// A waiter that is registered until it is dropped.
struct Watcher<'a> {
    scheduler: &'a Scheduler,
    waiter: Arc<Waiter>,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.scheduler.watchers.remove(&self.waiter);
    }
}
