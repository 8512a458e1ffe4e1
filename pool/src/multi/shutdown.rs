//! Shuts down all shards: the value that a thread or a future waits for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::engine::Seat;
use crate::errors::{MultiShutdownError, ShutdownError};
use crate::multi::handle::MultiPool;
use crate::pool::Shutdown;

impl MultiPool {
    /// Closes all shards and returns a value that waits until each has ended, as
    /// [`Pool::shutdown`](crate::Pool::shutdown) defines it.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// pool.submit(|| println!("done before the end")).unwrap();
    /// assert_eq!(pool.shutdown().wait(), Ok(()));
    /// ```
    pub fn shutdown(&self) -> MultiShutdown<'_> {
        let from_worker = self.is_on_worker();
        let shards = self.shards().iter().map(|shard| {
            let shutdown = shard.shutdown();
            // A worker waits for no shard, because tasks of any shard may wait for this worker.
            let skipped = from_worker && !Seat::is_on(&shard.gate().scheduler);
            (!skipped).then_some(shutdown)
        });
        MultiShutdown {
            shards: shards.collect(),
            index: 0,
            failed: Vec::new(),
        }
    }
}

/// Waits for the end of all shards, from [`MultiPool::shutdown`]. In async code, `.await` it; on a
/// thread, call [`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout) or
/// [`wait_deadline`](Self::wait_deadline).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default())?;
/// let shutdown = pool.shutdown(); // no shard accepts tasks now
/// shutdown.wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the shards are closed, but nothing waits for their tasks"]
#[derive(Debug)]
pub struct MultiShutdown<'a> {
    shards: Vec<Option<Shutdown<'a>>>,
    /// The next shard to await.
    index: usize,
    failed: Vec<(usize, ShutdownError)>,
}

impl MultiShutdown<'_> {
    /// Blocks the calling thread until all shards have ended.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// assert_eq!(pool.shutdown().wait(), Ok(()));
    /// assert_eq!(pool.stats().threads, 0);
    /// ```
    ///
    /// # Errors
    ///
    /// [`FromWorker`](ShutdownError::FromWorker) for the shard whose worker calls. Then the call
    /// waits for no shard, but closes all. [`Reopened`](ShutdownError::Reopened) for each shard
    /// that was reopened meanwhile.
    pub fn wait(self) -> Result<(), MultiShutdownError> {
        self.wait_until(None)
    }

    /// Blocks the calling thread until all shards have ended, for at most `timeout` in total.
    /// Remaining tasks go on.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build_multi(2, anthill::Balance::default())?;
    /// let held = pool.shards()[1].try_slot()?;
    /// let error = pool.shutdown().wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(error.failed[0].0, 1); // the remaining shard
    /// drop(held);
    /// pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Timeout`](ShutdownError::Timeout) for each remaining shard, or the errors of
    /// [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), MultiShutdownError> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Blocks the calling thread until all shards have ended, at the latest until `deadline`.
    /// Remaining tasks go on.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().capacity(8).build_multi(2, Default::default()).unwrap();
    /// let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    /// assert_eq!(pool.shutdown().wait_deadline(deadline), Ok(()));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Timeout`](ShutdownError::Timeout) for each remaining shard, or the errors of
    /// [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), MultiShutdownError> {
        self.wait_until(Some(deadline))
    }

    fn wait_until(mut self, deadline: Option<Instant>) -> Result<(), MultiShutdownError> {
        for (index, shard) in std::mem::take(&mut self.shards).into_iter().enumerate() {
            let ended = shard.map_or(Ok(()), |shutdown| shutdown.wait_until(deadline));
            self.note(index, ended);
        }
        self.result()
    }

    fn note(&mut self, index: usize, ended: Result<(), ShutdownError>) {
        self.failed.extend(ended.err().map(|error| (index, error)));
    }

    fn result(&mut self) -> Result<(), MultiShutdownError> {
        let failed = std::mem::take(&mut self.failed);
        if failed.is_empty() {
            Ok(())
        } else {
            Err(MultiShutdownError { failed })
        }
    }
}

impl Future for MultiShutdown<'_> {
    type Output = Result<(), MultiShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(shard) = this.shards.get_mut(this.index) {
            let ended = match shard {
                Some(shutdown) => ready!(Pin::new(shutdown).poll(cx)),
                None => Ok(()),
            };
            this.note(this.index, ended);
            this.index += 1;
        }
        Poll::Ready(this.result())
    }
}
