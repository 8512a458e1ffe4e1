//! Metrics of the pools.

use std::fmt;

use anthill::{Pool, Stats};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::gauge::gauge;

/// A figure of a pool: its name, what it is, and where it stands.
type Figure<T> = (&'static str, &'static str, fn(&Stats) -> T);

/// What each pool has for itself.
const OF_EACH: [Figure<usize>; 4] = [
    ("pool_capacity", "Slots of the pool.", |stats| {
        stats.capacity
    }),
    ("pool_in_flight", "Slots taken.", |stats| stats.in_flight),
    ("pool_free", "Slots free.", |stats| stats.free),
    (
        "pool_waiting",
        "Submitters that wait for a slot.",
        |stats| stats.waiting,
    ),
];
/// Figures of the shared workers, exported once so that sums do not count them per pool.
const OF_ALL: [Figure<usize>; 11] = [
    ("pool_running", "Tasks on a worker.", |stats| stats.running),
    (
        "pool_running_closures",
        "Workers inside a closure.",
        |stats| stats.running_closures,
    ),
    (
        "pool_running_futures",
        "Workers polling a future.",
        |stats| stats.running_futures,
    ),
    (
        "pool_in_reactor",
        "Workers waiting in the reactor.",
        |stats| stats.in_reactor,
    ),
    ("pool_queued", "Tasks ready to run.", |stats| stats.queued),
    ("pool_queued_futures", "Futures ready to run.", |stats| {
        stats.queued_futures
    }),
    (
        "pool_queued_high",
        "Closures of high priority ready to run.",
        |stats| stats.queued_high,
    ),
    (
        "pool_queued_normal",
        "Closures of normal priority ready to run.",
        |stats| stats.queued_normal,
    ),
    (
        "pool_queued_low",
        "Closures of low priority ready to run.",
        |stats| stats.queued_low,
    ),
    ("pool_threads", "Worker threads.", |stats| stats.threads),
    (
        "pool_idle_threads",
        "Worker threads without work.",
        |stats| stats.idle_threads,
    ),
];
const COUNTS_OF_ALL: [Figure<u64>; 4] = [
    ("pool_accepted", "Tasks accepted.", |stats| stats.accepted),
    ("pool_completed", "Tasks that returned.", |stats| {
        stats.completed
    }),
    ("pool_panicked", "Tasks ended by a panic.", |stats| {
        stats.panicked
    }),
    ("pool_wakeups", "Sleeping workers woken.", |stats| {
        stats.wakeups
    }),
];

pub(super) fn encode(
    pools: &[(&'static str, Pool)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let pools: Vec<_> = pools
        .iter()
        .map(|(name, pool)| ([("pool", *name)], pool.stats()))
        .collect();
    let (_, any) = &pools[0];
    for (name, help, read) in OF_ALL {
        gauge(encoder, name, help, None, read(any) as u64)?;
    }
    for (name, help, read) in COUNTS_OF_ALL {
        let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(read(any)).encode(counter)?;
    }
    for (name, help, read) in OF_EACH {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (label, stats) in &pools {
            ConstGauge::new(read(stats) as u64).encode(family.encode_family(label)?)?;
        }
    }
    let (name, help) = ("pool_rejected_full", "Tasks refused by a full pool.");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (label, stats) in &pools {
        ConstCounter::new(stats.rejected_full).encode(family.encode_family(label)?)?;
    }
    Ok(())
}
