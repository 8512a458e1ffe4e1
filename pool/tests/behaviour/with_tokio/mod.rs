//! Pools whose idle worker waits in the reactor of tokio, and pools in programs that use tokio.

mod blocking;
mod lifetime;
mod reactor;
mod tasks;

use std::future::pending;
use std::time::Duration;

use anthill::Pool;
use tokio::time::timeout;

use crate::support::eventually;

fn pool(threads: usize) -> Pool {
    let builder = Pool::builder().capacity(100).threads(threads..=threads);
    builder.tokio().build().unwrap()
}

/// The result of a future that runs in the pool.
fn run<T: Send + 'static>(pool: &Pool, future: impl Future<Output = T> + Send + 'static) -> T {
    pool.spawn_with_handle(future).unwrap().wait().unwrap()
}

/// Ends when a timer of the reactor fires. For tests of timers, not to order events.
pub(crate) async fn timer() {
    let fired = timeout(Duration::from_millis(1), pending::<()>()).await;
    assert!(fired.is_err());
}

/// Waits until every worker is parked, one of them in the reactor.
fn until_idle(pool: &Pool) {
    eventually(|| pool.stats().idle_threads == pool.stats().threads);
}
