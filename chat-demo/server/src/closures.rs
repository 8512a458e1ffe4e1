//! Closures that occupy the workers of the pool, for `--debug-closures`.

use std::hint;
use std::time::{Duration, Instant};

use anthill::{BuildError, Pool};
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use crate::pools::low;

/// Slots of the subpool, and so closures that run or are queued.
const SLOTS: usize = 64;

/// A subpool that is full of closures; a clone has the same subpool.
#[derive(Clone)]
pub(crate) struct Closures {
    pub(crate) pool: Pool,
    time: Duration,
    pub(crate) ran: Counter,
}

impl Closures {
    /// Adds a subpool of low priority to `pool`, whose closures are busy for `time` each.
    pub(crate) fn new(pool: &Pool, time: Duration) -> Result<Self, BuildError> {
        Ok(Self {
            pool: low(pool, SLOTS)?,
            time,
            ran: Counter::default(),
        })
    }

    /// Submits a closure whenever a slot is free, until the server drains.
    pub(crate) async fn run(self, draining: CancellationToken) {
        while let Some(Ok(slot)) = draining.run_until_cancelled(self.pool.slot()).await {
            let (time, ran, draining) = (self.time, self.ran.clone(), draining.clone());
            slot.submit(move || {
                // Skip what is queued, or it delays the drain.
                if !draining.is_cancelled() {
                    spin(time);
                    ran.inc();
                }
            });
        }
    }
}

/// Occupies a processor.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}
