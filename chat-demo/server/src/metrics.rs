//! What is shown of a server, to `/metrics` and `/api/stats`. Nothing in the server decides by it.

mod exposition;
mod machine;
mod pools;
mod snapshot;
mod tuner;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use anthill::Pool;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::bus::Redis;
use crate::closures::Closures;
use crate::guard::Guard;
use crate::hub::Hub;
use crate::queue_age::QueueAge;
use crate::tally::Tally;
use crate::tuning::Tuning;

pub(crate) use self::snapshot::Snapshot;

/// Everything that can be looked at, in the two forms it is asked for.
pub(crate) struct Metrics {
    tally: Tally,
    live: Live,
    registry: Registry,
}

/// What has a value now, and needs no counter.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) hub: Arc<Hub>,
    /// The pools by the names they are shown under.
    pub(crate) pools: Vec<(&'static str, Pool)>,
    /// What rooms are shared by, if they are.
    pub(crate) redis: Option<Arc<Redis>>,
    pub(crate) guard: Arc<Guard>,
    /// What moves the limits of the pools, if anything does.
    pub(crate) tuning: Option<Arc<Tuning>>,
    /// What occupies the workers for debugging, if anything does.
    pub(crate) closures: Option<Closures>,
    pub(crate) queue_age: Arc<QueueAge>,
    pub(crate) started: Instant,
}

impl Metrics {
    pub(crate) fn new(tally: Tally, live: Live) -> Self {
        Self {
            registry: exposition::registry(&tally, &live),
            tally,
            live,
        }
    }

    /// As Prometheus scrapes it.
    pub(crate) fn prometheus(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all");
        text
    }

    /// As `/api/stats` answers.
    pub(crate) fn snapshot(&self, node: &str) -> Snapshot {
        Snapshot::new(node, &self.tally, &self.live)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
