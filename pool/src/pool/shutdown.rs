//! Shuts pools down: the value that a thread or a future waits for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::engine::{OnClose, Scheduler};
use crate::errors::{ShutdownError, Unfinished};
use crate::pool::handle::Pool;
use crate::sync::Arc;
use crate::wait::Waiter;
use crate::wait::blocking;

impl Pool {
    /// Closes the pool and returns a value that waits for its end: await it, or block a thread with
    /// its `wait`.
    ///
    /// The pool has ended when every accepted task has ended, its panic handler has returned, every
    /// reserved slot is used or dropped, and all threads have exited. A subpool has no threads of
    /// its own, so its shutdown waits only for tasks. To drop tasks that have not begun, call
    /// [`discard`](Self::discard) first.
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
        Shutdown::new(std::slice::from_ref(self))
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

    /// Returns how the pool ended. `None` while it has not ended.
    fn ended(&self, life: u64) -> Option<Ended> {
        let has_ended = match &self.gate().subpool {
            Some(entrance) => entrance.slots.is_drained(),
            None => self.gate().scheduler.is_gone(),
        };
        if has_ended {
            return Some(Ended::Yes);
        }
        (self.gate().entrance().reopened.get() != life).then_some(Ended::Reopened)
    }

    /// Blocks until the pool has ended. Calls `before_blocking` first, if it has to block.
    fn wait_for_end(&self, life: u64, deadline: Option<Instant>, before_blocking: fn()) -> Ended {
        loop {
            let watcher = self.watch(Waiter::thread());
            if let Some(ended) = self.ended(life) {
                drop(watcher);
                return match ended {
                    Ended::Yes if !self.join_threads(deadline) => Ended::Late,
                    ended => ended,
                };
            }
            before_blocking();
            if watcher.waiter.wait(deadline).is_none() {
                return Ended::Late;
            }
        }
    }

    /// Joins the threads of a pool that has ended, and returns whether all have exited. The threads
    /// of a subpool belong to its pool and stay.
    fn join_threads(&self, deadline: Option<Instant>) -> bool {
        let gate = self.gate();
        gate.subpool.is_some() || gate.scheduler.started.join_all(deadline)
    }
}

/// How a pool ended.
#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Yes,
    Reopened,
    /// It did not before the deadline.
    Late,
}

/// Waits for the end of a pool, from [`Pool::shutdown`], or of all shards, from
/// [`MultiPool::shutdown`](crate::MultiPool::shutdown).
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
    pools: &'a [Pool],
    /// How often each pool was reopened before.
    lives: Vec<u64>,
    /// The pools that were seen to end.
    ended: Vec<Ended>,
    /// At the first pool that has not ended.
    watcher: Option<Watcher<'a>>,
}

impl<'a> Shutdown<'a> {
    /// Closes the pools.
    pub(crate) fn new(pools: &'a [Pool]) -> Self {
        let lives = pools.iter().map(|pool| pool.end_life(OnClose::Run));
        Self {
            pools,
            lives: lives.collect(),
            ended: Vec::new(),
            watcher: None,
        }
    }
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

    fn wait_until(self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        self.block_until(deadline, blocking::check)
    }

    /// Blocks until all pools have ended. Calls `before_blocking` before it blocks.
    pub(super) fn block_until(
        mut self,
        deadline: Option<Instant>,
        before_blocking: fn(),
    ) -> Result<(), ShutdownError> {
        self.check_thread()?;
        for (pool, &life) in self.pools.iter().zip(&self.lives) {
            self.ended
                .push(pool.wait_for_end(life, deadline, before_blocking));
        }
        self.result()
    }

    /// Returns an error on a thread of one of the pools, which must not wait for its own end.
    fn check_thread(&self) -> Result<(), ShutdownError> {
        let is_home = |pool: &Pool| pool.gate().scheduler.is_home();
        if self.pools.iter().any(is_home) {
            return Err(ShutdownError::FromWorker);
        }
        Ok(())
    }

    /// Returns the result once all pools were seen to end or the deadline has passed.
    fn result(&self) -> Result<(), ShutdownError> {
        let pools = self.pools.iter().zip(&self.ended);
        let late = pools.filter(|(_, ended)| **ended == Ended::Late);
        let unfinished = late.map(|(pool, _)| Unfinished {
            stats: pool.stats(),
            tasks: pool.gate().scheduler.names.lock().list(),
        });
        if let Some(unfinished) = unfinished.reduce(Unfinished::plus) {
            Err(ShutdownError::Timeout(Box::new(unfinished)))
        } else if self.ended.contains(&Ended::Reopened) {
            Err(ShutdownError::Reopened)
        } else {
            Ok(())
        }
    }
}

impl Future for Shutdown<'_> {
    type Output = Result<(), ShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.check_thread()?;
        let pools = this.pools;
        while let Some(pool) = pools.get(this.ended.len()) {
            let watcher = this
                .watcher
                .get_or_insert_with(|| pool.watch(Waiter::task(cx.waker())));
            let outcome = watcher.waiter.poll(cx);
            if let Some(ended) = pool.ended(this.lives[this.ended.len()]) {
                // This may be the waker of the last thread, which cannot join itself.
                pool.gate().scheduler.started.join_exited();
                this.ended.push(ended);
            } else if outcome.is_pending() {
                return Poll::Pending;
            }
            this.watcher = None;
        }
        Poll::Ready(this.result())
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("pools", &self.pools)
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
