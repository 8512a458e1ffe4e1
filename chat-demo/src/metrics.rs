//! What is counted. Read from outside, by `/metrics` and `/api/stats`; nothing in the server decides by it.

mod exposition;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use anthill::{Pool, Stats};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::error::CloseReason;
use crate::hub::Hub;
use crate::room::Tally;

/// The counters, each shared with those who count.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) frames_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) panics: Counter,
    pub(crate) tally: Tally,
    closed: Family<ReasonLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Metrics {
    /// Counts a connection that the server ended.
    pub(crate) fn closed(&self, reason: CloseReason) {
        self.closed
            .get_or_create(&ReasonLabel {
                reason: reason.label(),
            })
            .inc();
    }
}

/// Everything that can be looked at, in the two forms it is asked for.
pub(crate) struct Gauges {
    metrics: Metrics,
    registry: Registry,
    live: Live,
}

/// What has a value now, and needs no counter.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) hub: Arc<Hub>,
    /// The pools by the names they are shown under.
    pub(crate) pools: [(&'static str, Pool); 4],
    pub(crate) started: Instant,
}

impl Gauges {
    pub(crate) fn new(metrics: Metrics, live: Live) -> Self {
        let mut registry = Registry::with_prefix("chat");
        let counters = [
            (
                "sockets_accepted",
                "TCP connections accepted",
                &metrics.accepted,
            ),
            (
                "upgrades_refused",
                "WebSocket upgrades refused because the server was full",
                &metrics.refused,
            ),
            (
                "frames_in",
                "Frames received from clients",
                &metrics.frames_in,
            ),
            (
                "frames_out",
                "Frames written to clients",
                &metrics.frames_out,
            ),
            ("messages", "Texts published", &metrics.tally.messages),
            (
                "deliveries",
                "Frames that rooms put into outboxes",
                &metrics.tally.deliveries,
            ),
            ("panics", "Panics contained by the pools", &metrics.panics),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "connections_closed",
            "Connections ended by the server",
            metrics.closed.clone(),
        );
        for reason in CloseReason::ALL {
            // So that each reason shows from the start, as 0.
            drop(metrics.closed.get_or_create(&ReasonLabel {
                reason: reason.label(),
            }));
        }
        registry.register_collector(Box::new(live.clone()));
        Self {
            metrics,
            registry,
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
        let Self { metrics, live, .. } = self;
        let closed = |reason: CloseReason| {
            let label = reason.label();
            (
                label,
                metrics
                    .closed
                    .get_or_create(&ReasonLabel { reason: label })
                    .get(),
            )
        };
        Snapshot {
            node: node.to_owned(),
            uptime_seconds: live.started.elapsed().as_secs_f64(),
            connections: live.hub.connections(),
            rooms: live.hub.rooms(),
            history_bytes: live.hub.history().bytes(),
            frames_in: metrics.frames_in.get(),
            frames_out: metrics.frames_out.get(),
            messages: metrics.tally.messages.get(),
            deliveries: metrics.tally.deliveries.get(),
            refused: metrics.refused.get(),
            panics: metrics.panics.get(),
            drops: CloseReason::ALL.into_iter().map(closed).collect(),
            pools: live
                .pools
                .iter()
                .map(|(name, pool)| (*name, pool.stats().into()))
                .collect(),
            rss_bytes: resident_bytes(),
        }
    }
}

/// The state of the server at one instant.
#[derive(Serialize)]
pub(crate) struct Snapshot {
    node: String,
    uptime_seconds: f64,
    connections: usize,
    rooms: usize,
    history_bytes: usize,
    frames_in: u64,
    frames_out: u64,
    messages: u64,
    deliveries: u64,
    refused: u64,
    panics: u64,
    drops: BTreeMap<&'static str, u64>,
    pools: BTreeMap<&'static str, PoolSnapshot>,
    rss_bytes: u64,
}

#[derive(Serialize)]
struct PoolSnapshot {
    capacity: usize,
    in_flight: usize,
    running: usize,
    queued: usize,
    waiting: usize,
    free: usize,
    threads: usize,
    idle_threads: usize,
    accepted: u64,
    completed: u64,
    panicked: u64,
    cancelled: u64,
    rejected_full: u64,
    rejected_closed: u64,
    rejected_timeout: u64,
    threads_started: u64,
    threads_expired: u64,
    wakeups: u64,
}

impl From<Stats> for PoolSnapshot {
    fn from(stats: Stats) -> Self {
        Self {
            capacity: stats.capacity,
            in_flight: stats.in_flight,
            running: stats.running,
            queued: stats.queued,
            waiting: stats.waiting,
            free: stats.free,
            threads: stats.threads,
            idle_threads: stats.idle_threads,
            accepted: stats.accepted,
            completed: stats.completed,
            panicked: stats.panicked,
            cancelled: stats.cancelled,
            rejected_full: stats.rejected_full,
            rejected_closed: stats.rejected_closed,
            rejected_timeout: stats.rejected_timeout,
            threads_started: stats.threads_started,
            threads_expired: stats.threads_expired,
            wakeups: stats.wakeups,
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// What the process holds in memory; 0 where `/proc` does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    let kib: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default();
    kib * 1024
}
