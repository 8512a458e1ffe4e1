//! Metrics of the pools.

use std::fmt;

use anthill::{Pool, Stats};
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::Serialize;
use serde_json::{Value, json};

use super::figures::Figures;

/// A figure of a pool: its name, as in [`PoolSnapshot`], and what it is.
type Figure = (&'static str, &'static str);

/// What each pool has for itself.
const OF_EACH: [Figure; 4] = [
    ("capacity", "Slots of the pool, free or in use."),
    ("in_flight", "Slots in use."),
    ("free", "Free slots."),
    ("waiting", "Submitters that wait for a slot."),
];
/// Figures of the shared workers, exported once so that sums do not count them per pool.
const OF_ALL: [Figure; 11] = [
    ("running", "Tasks that run on a worker."),
    ("running_closures", "Workers that run a closure."),
    ("running_futures", "Workers that poll a future."),
    ("in_reactor", "Workers that wait for I/O in the reactor."),
    ("queued", "Tasks that wait for a worker."),
    ("queued_futures", "Queued futures, woken or new."),
    ("queued_high", "Queued closures of high priority."),
    ("queued_normal", "Queued closures of normal priority."),
    ("queued_low", "Queued closures of low priority."),
    ("threads", "Worker threads."),
    ("idle_threads", "Worker threads without work."),
];
const COUNTS_OF_ALL: [Figure; 4] = [
    ("accepted", "Tasks accepted."),
    ("completed", "Tasks that returned without a panic."),
    ("panicked", "Tasks that ended with a panic."),
    ("wakeups", "Wake-ups of sleeping workers."),
];

pub(super) fn encode(pools: &[(&'static str, Pool)], figures: &mut Figures<'_>) -> fmt::Result {
    let pools: Vec<_> = pools
        .iter()
        .map(|(name, pool)| ([("pool", *name)], json!(PoolStats(pool.stats()))))
        .collect();
    let read = |stats: &Value, name: &str| stats[name].as_u64().expect("it is a figure of a pool");
    let (_, any) = &pools[0];
    for (name, help) in OF_ALL {
        figures.gauge(&format!("pool_{name}"), help, None, read(any, name))?;
    }
    for (name, help) in COUNTS_OF_ALL {
        figures.counter(&format!("pool_{name}"), help, None, read(any, name))?;
    }
    for (name, help) in OF_EACH {
        let full_name = format!("pool_{name}");
        let mut family = figures
            .0
            .encode_descriptor(&full_name, help, None, MetricType::Gauge)?;
        for (label, stats) in &pools {
            ConstGauge::new(read(stats, name)).encode(family.encode_family(label)?)?;
        }
    }
    let (name, help) = ("pool_rejected_full", "Tasks refused by a full pool.");
    let mut family = figures
        .0
        .encode_descriptor(name, help, None, MetricType::Counter)?;
    for (label, stats) in &pools {
        let counter = ConstCounter::new(read(stats, "rejected_full"));
        counter.encode(family.encode_family(label)?)?;
    }
    Ok(())
}

/// What is shown of a pool's figures.
#[derive(Serialize)]
#[serde(remote = "Stats")]
struct PoolSnapshot {
    capacity: usize,
    in_flight: usize,
    /// Workers by what they do, and ready tasks by lane: the same for all subpools.
    running: usize,
    running_closures: usize,
    running_futures: usize,
    in_reactor: usize,
    queued: usize,
    queued_futures: usize,
    queued_high: usize,
    queued_normal: usize,
    queued_low: usize,
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

/// A pool's figures, shown as a [`PoolSnapshot`].
#[derive(Serialize)]
pub(super) struct PoolStats(#[serde(with = "PoolSnapshot")] pub(super) Stats);
