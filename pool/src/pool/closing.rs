//! Closes and reopens a pool.

use crate::engine::OnClose;
use crate::errors::ReopenError;
use crate::pool::handle::Pool;

/// Closing and reopening.
impl Pool {
    /// Closes the pool: it accepts no more tasks, and waiting submitters get `Closed`. Accepted
    /// tasks run to their end. Does not block. A pool closes its subpools too; a subpool closes
    /// alone. Closing again does nothing.
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
    /// taking one. On a subpool the workers drop each task when they reach it. They also drop a
    /// task that is submitted after the discard into a slot reserved before. Tasks of a strand
    /// behind its running closure or its future are dropped after that ends.
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
