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
    /// Deliveries that came in it.
    pub delivered: u64,
    /// Errors in it.
    pub errors: u64,
    /// Half of its deliveries took no longer; 0 without any, as are the next two.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
    /// Members at its end.
    pub members: u64,
    /// Of this machine's processors, what its host gave to others meanwhile, where it is a virtual
    /// one.
    pub stolen_percent: Option<f64>,
    /// What the server said of itself, if it did.
    pub server: Option<ServerMoment>,
}

/// What a server said of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServerMoment {
    /// Of its process; 100 is one processor.
    pub cpu_percent: f64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Of all processors that it may use, by all that runs on them.
    pub machine_cpu_percent: Option<f64>,
    /// Of all memory that it may use, by all that uses it.
    pub machine_memory_percent: Option<f64>,
    /// Frames that waited for clients.
    pub outbox_frames: u64,
    /// Its pools by their names.
    pub pools: BTreeMap<String, PoolMoment>,
}

/// How a pool of the server stood.
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
