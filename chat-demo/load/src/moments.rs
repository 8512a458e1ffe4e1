//! The moments of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A short part of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Its end, in seconds since publishing began.
    pub at_s: f64,
    /// Messages published in it.
    pub sent: u64,
    /// Deliveries in it.
    pub delivered: u64,
    /// Errors in it.
    pub errors: u64,
    /// Median latency of its deliveries; 0 without deliveries.
    pub p50_ms: f64,
    /// 99th percentile of the latency; 0 without deliveries.
    pub p99_ms: f64,
    /// Highest latency; 0 without deliveries.
    pub max_ms: f64,
    /// Members at its end.
    pub members: u64,
    /// CPU time that the host of a virtual machine stole, in percent.
    pub stolen_percent: Option<f64>,
    /// The server's own figures, if it reported them.
    pub server: Option<ServerMoment>,
}

/// A server's own figures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServerMoment {
    /// CPU load of its process; 100 is one CPU.
    pub cpu_percent: f64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// CPU load of its machine or quota, in percent.
    pub machine_cpu_percent: Option<f64>,
    /// Memory in use of its machine or cgroup, in percent.
    pub machine_memory_percent: Option<f64>,
    /// Frames that waited for clients.
    pub outbox_frames: u64,
    /// Its pools by their names.
    pub pools: BTreeMap<String, PoolMoment>,
}

/// The figures of a pool of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PoolMoment {
    /// Slots.
    pub capacity: u64,
    /// Slots taken.
    pub in_flight: u64,
    /// Tasks on a worker.
    pub running: u64,
    /// Tasks ready to run.
    pub queued: u64,
    /// Submitters that waited for a slot.
    pub waiting: u64,
    /// Worker threads.
    pub threads: u64,
}
