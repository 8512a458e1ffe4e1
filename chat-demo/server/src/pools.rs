//! The pools of the server.

use std::future::Future;

use anthill::{BuildError, Pool, Priority};

use crate::bus::Redis;
use crate::config::Config;
use crate::tally::Tally;

/// How many tasks the server may have of its own.
const SERVICE: usize = 16;
/// Sockets that have sent nothing, for each HTTP connection: they need less memory.
const DOOR: usize = 4;
/// Pages that are encoded or wait for it; more wait in their connections.
const PAGES: usize = 64;
/// Searches that run or wait; more are refused.
const SEARCHES: usize = 64;
/// Requests of the HTTP API at a time; more are refused.
const API: usize = 16;

/// Entrances to the same workers, each with its own bound.
pub(crate) struct Pools {
    /// The pool of the server's own tasks, which accept connections, for example. The remaining
    /// pools are its subpools, because they need its workers and reactor until they have ended.
    pub(crate) service: Pool,
    /// Accepted sockets until they have sent something, and health requests.
    pub(crate) door: Pool,
    pub(crate) front: Pool,
    /// WebSocket connections and event streams: a slot each, until their end.
    pub(crate) connections: Pool,
    pub(crate) fanout: Pool,
    /// Pages of history, and lists of members and connections: closures that run after more
    /// urgent work.
    pub(crate) pages: Pool,
    /// Searches in histories: closures that run after more urgent work.
    pub(crate) searches: Pool,
    /// Requests of the HTTP API: futures, mostly waiting.
    pub(crate) api: Pool,
    /// Reads from Redis, where there is one.
    pub(crate) reads: Option<Pool>,
}

impl Pools {
    pub(crate) fn new(config: &Config, tally: &Tally) -> Result<Self, BuildError> {
        let panics = tally.panics.clone();
        let mut builder = Pool::builder()
            .name("chat")
            .capacity(SERVICE)
            .tokio()
            .panic_handler(move |panic| {
                panics.inc();
                tracing::error!(%panic, "task panicked");
            });
        if let Some(threads) = config.threads {
            builder = builder.threads(1..=threads);
        }
        let service = builder.build()?;
        let shared = !config.redis.redis.is_empty();
        let subpool = |capacity| service.subpool().capacity(capacity).build();
        let reads = shared.then(|| subpool(Redis::first_reads(config)));
        Ok(Self {
            door: subpool(config.max_handshakes.saturating_mul(DOOR))?,
            front: subpool(config.max_handshakes)?,
            connections: subpool(config.max_connections)?,
            fanout: subpool(config.fanout)?,
            pages: low(&service, PAGES)?,
            searches: low(&service, SEARCHES)?,
            api: subpool(API)?,
            reads: reads.transpose()?,
            service,
        })
    }

    /// All of them, by the names that they are shown under.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, Pool)> + use<> {
        let named = [
            ("service", Some(&self.service)),
            ("door", Some(&self.door)),
            ("front", Some(&self.front)),
            ("connections", Some(&self.connections)),
            ("fanout", Some(&self.fanout)),
            ("pages", Some(&self.pages)),
            ("searches", Some(&self.searches)),
            ("api", Some(&self.api)),
            ("redis_reads", self.reads.as_ref()),
        ];
        let there = named.map(|(name, pool)| pool.map(|pool| (name, pool.clone())));
        there.into_iter().flatten()
    }

    /// Runs one of the server's own tasks, without a handle.
    pub(crate) fn serve(&self, task: impl Future<Output = ()> + Send + 'static) {
        let served = self.service.spawn(task);
        served.expect("the server has few tasks of its own");
    }
}

/// A subpool for work that may wait. It leaves a worker to the rooms, if there are several.
pub(crate) fn low(pool: &Pool, capacity: usize) -> Result<Pool, BuildError> {
    let workers = *pool.threads().end();
    let low = pool.subpool().capacity(capacity).priority(Priority::Low);
    low.threads((workers - 1).max(1)).build()
}
