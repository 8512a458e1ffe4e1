//! One server: what all its connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anthill::{BuildError, Pool};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::Hub;
use crate::metrics::{Gauges, Live, Metrics};
use crate::outbox::Limits;
use crate::reactor::Reactor;

/// See the module's documentation.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) pools: Pools,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Metrics,
    pub(crate) gauges: Gauges,
    pub(crate) reactor: Reactor,
    /// Cancelled when the server begins to end.
    pub(crate) draining: CancellationToken,
    connections: AtomicU64,
    guests: AtomicU64,
}

/// Three entrances to the same workers, each with its own bound.
pub(crate) struct Pools {
    /// WebSocket connections: a slot each, from the upgrade to the end.
    pub(crate) connections: Pool,
    /// Sockets that speak HTTP, those that ask for an upgrade among them.
    pub(crate) front: Pool,
    /// Operations of rooms. The other two are its subpools, for it is needed until they have ended.
    pub(crate) fanout: Pool,
}

impl Pools {
    fn new(config: &Config, metrics: &Metrics) -> Result<Self, BuildError> {
        let panics = metrics.panics.clone();
        let mut builder = Pool::builder()
            .name("chat")
            .capacity(config.fanout)
            .panic_handler(move |panic| {
                panics.inc();
                tracing::error!("contained a panic: {panic}");
            });
        if let Some(threads) = config.threads {
            builder = builder.threads(1..=threads);
        }
        let fanout = builder.build()?;
        let connections = fanout.subpool(config.max_connections)?;
        let front = fanout.subpool(config.max_handshakes)?;
        Ok(Self {
            connections,
            front,
            fanout,
        })
    }
}

impl Node {
    pub(crate) fn new(config: Config, reactor: Reactor) -> Result<Self, BuildError> {
        let metrics = Metrics::default();
        let pools = Pools::new(&config, &metrics)?;
        let hub = Arc::new(Hub::new(pools.fanout.clone(), metrics.tally.clone()));
        let live = Live {
            hub: hub.clone(),
            pools: [
                ("connections", pools.connections.clone()),
                ("front", pools.front.clone()),
                ("fanout", pools.fanout.clone()),
            ],
            started: Instant::now(),
        };
        Ok(Self {
            config,
            pools,
            hub,
            gauges: Gauges::new(metrics.clone(), live),
            metrics,
            reactor,
            draining: CancellationToken::new(),
            connections: AtomicU64::new(0),
            guests: AtomicU64::new(0),
        })
    }

    /// A number that no connection has had before.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A name for who did not bring one.
    pub(crate) fn next_guest(&self) -> String {
        format!("guest-{}", self.guests.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn outbox_limits(&self) -> Limits {
        Limits {
            frames: self.config.outbox_frames,
            bytes: self.config.outbox_bytes,
        }
    }
}
