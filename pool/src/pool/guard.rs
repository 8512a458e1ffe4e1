//! A guard that shuts a pool down when it is dropped.

use crate::pool::handle::Pool;
use crate::wait::blocking;

impl Pool {
    /// Returns a guard that shuts the pool down when dropped, and blocks until accepted tasks have
    /// ended.
    ///
    /// A program that returns from `main` ends all threads, so queued tasks never run. Keep the
    /// guard in `main`.
    ///
    /// The drop closes the pool but does not block where it could wait for itself: on a worker of
    /// the pool, and with the feature `tokio` also in a task of tokio, on a current-thread runtime
    /// of tokio, and on a worker that drives tokio. Await [`shutdown`](Self::shutdown) there.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let _guard = pool.shutdown_on_drop();
    /// for n in 0..100 {
    ///     pool.submit(move || println!("{n}"))?; // on an error too, the guard waits for accepted tasks
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_on_drop(&self) -> ShutdownOnDrop {
        ShutdownOnDrop(self.clone())
    }
}

/// Shuts a pool down when dropped, from [`Pool::shutdown_on_drop`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let guard = pool.shutdown_on_drop();
/// pool.submit(|| println!("done before the guard is dropped"))?;
/// drop(guard);
/// assert_eq!(pool.stats().completed, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "the pool shuts down when the guard is dropped"]
#[derive(Debug)]
pub struct ShutdownOnDrop(Pool);

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        let shutdown = self.0.shutdown();
        if !blocking::might_stall_tasks() {
            // On a worker of the pool this is an error, because it must not wait for itself.
            // It does not check the thread: a panic in a drop during unwinding aborts.
            let _ended = shutdown.block_until(None, || ());
        }
    }
}
