//! The figures of a server, for `/metrics` and `/api/stats`. The server makes no decision by them.

mod exposition;
mod figures;
mod live;
mod pools;
mod snapshot;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::tally::Tally;

pub(crate) use self::live::Live;
pub(crate) use self::snapshot::Snapshot;

/// Everything that can be looked at, in the two forms it is asked for.
pub(crate) struct Metrics {
    tally: Tally,
    live: Live,
    registry: Registry,
}

impl Metrics {
    pub(crate) fn new(tally: Tally, live: Live) -> Self {
        Self {
            registry: exposition::registry(&tally, &live),
            tally,
            live,
        }
    }

    pub(crate) fn prometheus(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all");
        text
    }

    pub(crate) fn snapshot(&self, node: &str) -> Snapshot {
        Snapshot::new(node, &self.tally, &self.live)
    }
}
