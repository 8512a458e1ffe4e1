//! The end of a pool, and a new beginning.

use std::time::{Duration, Instant};

use crate::error::{ReopenError, ShutdownError, Unfinished};
use crate::pool::Pool;
use crate::scheduler::Rest;
use crate::seat::Seat;
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

    /// Closes, and waits until everything accepted has ended, panic handlers included, and the threads have left. For a
    /// subpool the threads stay, since they are the pool's. To give up what has not begun, call
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
    /// [`ShutdownError::FromWorker`] if a worker of this pool calls: it would wait for itself. The pool is closed then.
    /// [`ShutdownError::Reopened`] if it is opened again meanwhile.
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

    pub(crate) fn shut(&self, deadline: Option<Instant>) -> Result<(), ShutdownError> {
        let reopened = &self.gate().entrance().reopened;
        let life = self.end_life(Rest::Run);
        let scheduler = &self.gate().scheduler;
        if Seat::is_on(scheduler) {
            return Err(ShutdownError::FromWorker);
        }
        loop {
            let waiter = Arc::new(Waiter::thread());
            scheduler.watch(&waiter);
            let settled = if self.has_ended() {
                Some(Ok(()))
            } else if reopened.get() != life {
                Some(Err(ShutdownError::Reopened))
            } else if waiter.wait(deadline).is_none() {
                Some(Err(ShutdownError::Timeout(Box::new(self.unfinished()))))
            } else {
                None
            };
            if let Some(settled) = settled {
                scheduler.unwatch(&waiter);
                return settled;
            }
        }
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
