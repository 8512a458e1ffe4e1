//! The peers, each as its own documentation says to use it.
//!
//! A process plays one part and then ends, so pools are never torn down, and works keep them for `'static`.

mod bounded;
mod closures;
mod futures;

use std::future::Future;
use std::time::Duration;

pub(crate) use self::bounded::Bounded;
pub(crate) use self::closures::{Channel, Executors, Rayon, RustyPool, Threadpool};
pub(crate) use self::futures::{Anthill, AsyncExecutor, Tokio, TokioBlocking};

/// A pool that runs closures.
pub(crate) trait Peer: Send + Sync + Sized + 'static {
    /// Its name in the report.
    const NAME: &'static str;
    /// The crate whose version counts.
    const CRATE: &'static str = Self::NAME;
    /// Whether it has a bound of its own. The others ignore the capacity.
    const BOUNDS: bool;

    /// A pool of so many threads, which holds at most `capacity` tasks, running ones included.
    fn new(threads: usize, capacity: Option<usize>) -> Self;

    /// Hands a closure over; waits if the pool is bounded and full.
    fn submit(&self, task: impl FnOnce() + Send + 'static);
}

/// A pool that runs futures.
pub(crate) trait Futures: Peer {
    /// Hands a future over; waits if the pool is bounded and full.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);
}

/// A pool whose futures can sleep.
pub(crate) trait Timers: Futures {
    /// As [`Peer::new`], with all that timers need.
    fn with_timers(threads: usize, capacity: Option<usize>) -> Self;

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
}

/// A pool whose idle threads leave.
pub(crate) trait Expiring: Peer {
    /// A pool of no threads when idle, and up to so many.
    fn expiring(threads: usize, expiry: Duration) -> Self;
}
