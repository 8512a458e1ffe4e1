//! What has a value now, as Prometheus scrapes it.

use std::fmt;

use anthill::Stats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::{Live, resident_bytes};

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
/// What they share, having the same workers; told once, lest a sum count it thrice.
const OF_ALL: [Figure<usize>; 4] = [
    ("pool_running", "Tasks on a worker.", |stats| stats.running),
    ("pool_queued", "Tasks ready to run.", |stats| stats.queued),
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

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: u64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        let connections = self.hub.connections() as u64;
        gauge(
            "connections",
            "Open WebSocket connections.",
            None,
            connections,
        )?;
        gauge(
            "rooms",
            "Rooms with members.",
            None,
            self.hub.rooms() as u64,
        )?;
        let (memory, bytes) = (resident_bytes(), Some(&Unit::Bytes));
        gauge(
            "history",
            "Messages kept for those who come back.",
            bytes,
            self.hub.history().bytes() as u64,
        )?;
        gauge(
            "resident_memory",
            "Resident memory of the process.",
            bytes,
            memory,
        )?;
        let (uptime, seconds) = (self.started.elapsed().as_secs(), Some(&Unit::Seconds));
        gauge("uptime", "Time since the server started.", seconds, uptime)?;

        let pools = self
            .pools
            .each_ref()
            .map(|(name, pool)| ([("pool", *name)], pool.stats()));
        let (_, any) = &pools[0];
        for (name, help, read) in OF_ALL {
            gauge(name, help, None, read(any) as u64)?;
        }
        for (name, help, read) in COUNTS_OF_ALL {
            let counter = ConstCounter::new(read(any));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
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
}
