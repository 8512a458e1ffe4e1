//! The state of the server at one instant, for `/api/stats` and `/metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::live::Live;
use super::pools::PoolStats;
use crate::machine::{Usage, cpus};
use crate::process::Process;
use crate::tally::Tally;
use crate::tuning::Tuned;

/// The content of `/api/stats`; counts are since the start.
#[derive(Serialize)]
pub(crate) struct Snapshot {
    node: String,
    uptime_seconds: f64,
    connections: usize,
    rooms: usize,
    history_messages: usize,
    history_bytes: usize,
    /// What waits in all outboxes together.
    outbox_frames: usize,
    outbox_bytes: usize,
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    messages: u64,
    deliveries: u64,
    /// Of the last 10 to 20 seconds; 0 when nothing was published in them.
    fanout_p50_ms: f64,
    fanout_p99_ms: f64,
    fanout_p999_ms: f64,
    refused: u64,
    panics: u64,
    machine: MachineSnapshot,
    /// What is done against too much to do: `none`, `refusing`, `slowing`.
    pressure: &'static str,
    publish_delay_ms: f64,
    /// Nothing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    tuner: Option<Tuned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis_up: Option<bool>,
    /// Whether messages can be kept in the data file.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_up: Option<bool>,
    /// Closures of `--debug-closures` that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    debug_closures: Option<u64>,
    drops: BTreeMap<&'static str, u64>,
    pools: BTreeMap<&'static str, PoolStats>,
    queue_age_ms: BTreeMap<&'static str, f64>,
    /// Figures of the process; 0 where the system lacks them.
    rss_bytes: u64,
    cpu_seconds: f64,
    open_files: u64,
    threads: u64,
}

/// The machine, or what this process may use of it; percents are of the last second.
#[derive(Serialize)]
struct MachineSnapshot {
    cpus: usize,
    #[serde(flatten)]
    usage: Usage,
}

impl Snapshot {
    pub(super) fn new(node: &str, tally: &Tally, live: &Live) -> Self {
        let Live { hub, guard, .. } = live;
        let outboxes = hub.outboxes();
        let [p50, p99, p999] = tally.fanout.quantiles();
        let process = Process::read().unwrap_or_default();
        Self {
            node: node.to_owned(),
            uptime_seconds: live.started.elapsed().as_secs_f64(),
            connections: hub.connections(),
            rooms: hub.rooms(),
            history_messages: hub.history().messages(),
            history_bytes: hub.history().bytes(),
            outbox_frames: outboxes.all.frames,
            outbox_bytes: outboxes.all.bytes,
            frames_in: tally.frames_in.sum(),
            frames_out: tally.frames_out.sum(),
            bytes_in: tally.traffic.bytes_in.get(),
            bytes_out: tally.traffic.bytes_out.get(),
            messages: tally.messages.get(),
            deliveries: tally.deliveries.get(),
            fanout_p50_ms: millis(p50),
            fanout_p99_ms: millis(p99),
            fanout_p999_ms: millis(p999),
            refused: tally.refused.sum(),
            panics: tally.panics.get(),
            machine: MachineSnapshot {
                cpus: cpus(),
                usage: guard.machine(),
            },
            pressure: guard.pressure().into(),
            publish_delay_ms: millis(guard.delay()),
            tuner: live.tuning.as_ref().map(|tuning| tuning.now()),
            redis_up: live.redis.as_ref().map(|redis| redis.trouble().is_none()),
            data_up: hub.journal().map(|journal| !journal.is_failing()),
            debug_closures: live.closures.as_ref().map(|closures| closures.ran.get()),
            drops: tally.closed.iter().collect(),
            pools: (live.pools.iter())
                .map(|(name, pool)| (*name, PoolStats(pool.stats())))
                .collect(),
            queue_age_ms: (live.queue_age.lanes().into_iter())
                .map(|(lane, age)| (lane, millis(age)))
                .collect(),
            rss_bytes: process.resident_bytes,
            cpu_seconds: process.cpu_seconds,
            open_files: process.open_files,
            threads: process.threads,
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
