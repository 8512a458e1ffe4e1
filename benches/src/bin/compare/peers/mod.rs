//! The peers, each used as its documentation recommends.
//!
//! A process does one run and exits, so pools are leaked and never shut down.

mod bounded;
mod closures;
mod futures;

use std::future::Future;
use std::time::Duration;

pub(crate) use self::bounded::Bounded;
pub(crate) use self::closures::{Channel, Executors, Kanal, Rayon, RustyPool, Threadpool};
pub(crate) use self::futures::{
    Anthill, AsyncExecutor, AsyncLock, Tokio, TokioBlocking, TokioSemaphore,
};

/// A pool that runs closures.
pub(crate) trait Peer: Send + Sync + Sized + 'static {
    /// Its name in the report.
    const NAME: &'static str;
    /// The crate whose version is reported.
    const CRATE: &'static str = Self::NAME;
    /// Whether it enforces the capacity itself. Other peers ignore it.
    const BOUNDS: bool;

    /// Returns a pool of this many threads and at most `capacity` tasks, running ones included.
    fn new(threads: usize, capacity: Option<usize>) -> Self;

    /// Submits a closure. Blocks while a bounded pool is full.
    fn submit(&self, task: impl FnOnce() + Send + 'static);
}

/// A pool that runs futures.
pub(crate) trait Futures: Peer {
    /// Submits a future. Blocks while a bounded pool is full.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);
}

/// A pool whose futures can sleep.
pub(crate) trait Timers: Futures {
    /// Returns a pool like [`Peer::new`], with timers.
    fn with_timers(threads: usize, capacity: Option<usize>) -> Self;

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
}

/// A pool with idle threads that expire.
pub(crate) trait Expiring: Peer {
    /// Returns a pool of up to this many threads, and none when idle.
    fn expiring(threads: usize, expiry: Duration) -> Self;
}
