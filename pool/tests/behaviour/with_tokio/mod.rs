//! Pools whose idle worker waits in the reactor of tokio, and pools in programs that use tokio.

mod blocking;
mod lifetime;
mod reactor;
mod tasks;

use anthill::Pool;

use crate::support::eventually;

fn pool(threads: usize) -> Pool {
    let builder = Pool::builder().capacity(100).threads(threads..=threads);
    builder.tokio().build().unwrap()
}

/// The result of a future that runs in the pool.
fn run<T: Send + 'static>(pool: &Pool, future: impl Future<Output = T> + Send + 'static) -> T {
    pool.spawn_with_handle(future).unwrap().wait().unwrap()
}

/// Waits until every worker is parked, one of them in the reactor.
fn until_idle(pool: &Pool) {
    eventually(|| pool.stats().idle_threads == pool.stats().threads);
}
