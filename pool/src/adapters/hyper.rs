//! `hyper::rt::Executor`.

use std::future::Future;

use crate::pool::Pool;

/// Runs hyper's background futures in the pool: those of HTTP/2 connections, and those of a client.
/// Needs the feature `hyper`.
///
/// The trait can neither wait nor fail. A future without a free slot is dropped, which resets its
/// connection or request, and [`Stats::rejected_full`](crate::Stats::rejected_full) counts it. Give
/// hyper a [subpool](Pool::subpool) with a capacity for its own.
///
/// ```
/// use hyper::rt::Executor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// pool.execute(async { println!("for hyper") });
/// pool.shutdown().wait()?;
/// assert_eq!(pool.stats().completed, 1);
/// # Ok(())
/// # }
/// ```
impl<F> hyper::rt::Executor<F> for Pool
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        // A refusal drops the future and is counted.
        let _ = self.try_spawn(async move {
            future.await;
        });
    }
}
