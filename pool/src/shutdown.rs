//! The end of a pool, and a new beginning.

use std::future::poll_fn;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::error::{ReopenError, ShutdownError, Unfinished};
use crate::pool::Pool;
use crate::scheduler::{Rest, Scheduler};
use crate::sync::Arc;
use crate::waiter::Waiter;

/// The end, and a new beginning.
impl Pool {
    /// Accepts nothing more, and tells everybody who waits for a slot `Closed`. What was accepted runs to its end;
    /// nobody waits for it here. Closing a pool closes its subpools; closing again does nothing.
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
        self.end_life(Rest::Run);
    }

    /// Closes, and drops the tasks that have not begun: their handles get
    /// [`JoinError::Cancelled`](crate::JoinError::Cancelled), and [`Stats::discarded`](crate::Stats::discarded) counts
    /// them. A closure that runs goes on; a future that is suspended is dropped when it is next woken. On a closed pool
    /// it drops what is left.
    ///
    /// On a pool the tasks are dropped by the calling thread, before it returns, unless a worker was just taking one.
    /// Those of a subpool are dropped by the workers as they come to them, and those behind a suspended future in a strand
    /// when that has ended.
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
    /// assert!(behind.join().is_err());
    /// drop(go);
    /// pool.shutdown()?;
    /// assert_eq!(pool.stats().discarded, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn discard(&self) {
        self.end_life(Rest::Discarded);
        if self.gate().subpool.is_none() {
            self.gate().scheduler.discard_queued();
        }
    }

    /// Whether it was closed.
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

    /// Closes the pool, waits until everything accepted has ended, panic handlers included, and joins all threads. The
    /// threads of a subpool stay, because they are the pool's. To give up what has not begun, call
    /// [`discard`](Self::discard) before.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.submit(|| println!("done before the end"))?;
    /// pool.shutdown()?;
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShutdownError::FromWorker`] if a thread of this pool calls, in a task, a hook or the destructor of a thread-local:
    /// it would wait for itself. The pool is closed then.
    /// [`ShutdownError::Reopened`] if it is opened again meanwhile.
    ///
    /// This blocks the calling thread. In async code, and above all on a thread whose runtime the tasks need in order to
    /// end, await [`shutdown_async`](Self::shutdown_async).
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.shut(None)
    }

    /// As [`shutdown`](Self::shutdown), for at most `timeout`. The tasks that are left then go on, and the call can be
    /// made again.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// if let Err(late) = pool.shutdown_timeout(std::time::Duration::from_secs(5)) {
    ///     eprintln!("{late}"); // how many tasks are left, and the names of those that have one
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`] with what is left, or as for `shutdown`.
    pub fn shutdown_timeout(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.shut(Instant::now().checked_add(timeout))
    }

    /// Closes the pool and waits, without blocking a thread, until everything accepted has ended, panic handlers included,
    /// and each thread has run the destructors of its thread-locals. The last thread wakes the caller, so the operating
    /// system may list it for a moment longer. A future that is dropped stops waiting; the pool stays closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.submit(|| println!("done before the end"))?;
    /// pool.shutdown_async().await?;
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(&self) -> Result<(), ShutdownError> {
        let life = self.begin_end()?;
        loop {
            let watcher = self.watch(Waiter::task(Waker::noop()));
            if let Some(ended) = self.ended(life) {
                // This may be the waker of the last thread, which cannot join itself.
                self.gate().scheduler.started.join_exited();
                return ended;
            }
            poll_fn(|cx| watcher.waiter.poll(cx)).await;
        }
    }

    pub(crate) fn shut(&self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        let life = self.begin_end()?;
        loop {
            let watcher = self.watch(Waiter::thread());
            if let Some(ended) = self.ended(life) {
                drop(watcher);
                return ended.and_then(|()| self.join_threads(deadline));
            }
            if watcher.waiter.wait(deadline).is_none() {
                return Err(self.timeout());
            }
        }
    }

    /// Joins the threads of a pool that has ended. Those of a subpool stay.
    fn join_threads(&self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        let gate = self.gate();
        if gate.subpool.is_some() || gate.scheduler.started.join_all(deadline) {
            Ok(())
        } else {
            Err(self.timeout())
        }
    }

    fn timeout(&self) -> ShutdownError {
        ShutdownError::Timeout(Box::new(self.unfinished()))
    }

    /// Closes the pool; returns which of its lives that ends. A worker must not wait for it.
    fn begin_end(&self) -> Result<u64, ShutdownError> {
        let life = self.end_life(Rest::Run);
        if self.gate().scheduler.is_home() {
            return Err(ShutdownError::FromWorker);
        }
        Ok(life)
    }

    /// Tells `waiter` when things have changed. It looks after this and not before.
    fn watch(&self, waiter: Waiter) -> Watcher<'_> {
        let watcher = Watcher {
            scheduler: &self.gate().scheduler,
            waiter: Arc::new(waiter),
        };
        watcher.scheduler.watchers.add(&watcher.waiter);
        watcher
    }

    /// How the wait for the end of a life ended, if it did.
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

    fn unfinished(&self) -> Unfinished {
        Unfinished {
            stats: self.stats(),
            tasks: self.gate().scheduler.names.lock().list(),
        }
    }

    /// Opens a closed pool again, at any time: what is still running from before goes on, and holds its slots until it
    /// ends. Nothing happens to a pool that is open. Its subpools stay closed until they are opened themselves.
    ///
    /// Capacity and settings are as they were, and the counters of [`stats`](Self::stats) go on.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// pool.shutdown()?;
    /// pool.reopen()?;
    /// pool.submit(|| println!("a new life"))?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReopenError::Discarding`] until all that was there at a [`discard`](Self::discard) has ended, and
    /// [`ReopenError::PoolClosed`] for a subpool of a closed pool.
    pub fn reopen(&self) -> Result<(), ReopenError> {
        let gate = self.gate();
        gate.scheduler.reopen(gate.subpool.as_ref())
    }
}

/// One that is told of changes until it is dropped.
struct Watcher<'a> {
    scheduler: &'a Scheduler,
    waiter: Arc<Waiter>,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.scheduler.watchers.remove(&self.waiter);
    }
}
