//! The state of the server at one instant, for `/api/stats` and `/metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use anthill::Stats;
use serde::Serialize;

use super::live::Live;
use super::machine::MachineSnapshot;
use super::tuner::TunerSnapshot;
use crate::closures::Closures;
use crate::process::Process;
use crate::queue_age::QueueAge;
use crate::tally::Tally;

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
    /// Frames that were queued for clients.
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    messages: u64,
    deliveries: u64,
    /// Of the last 10 to 20 seconds; 0 when nothing was published in them.
    fanout_p50_ms: f64,
    fanout_p99_ms: f64,
    fanout_p999_ms: f64,
    /// Handshakes.
    refused: u64,
    panics: u64,
    machine: MachineSnapshot,
    /// What is done against too much to do: `none`, `refusing`, `slowing`.
    pressure: &'static str,
    publish_delay_ms: f64,
    /// Nothing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    tuner: Option<TunerSnapshot>,
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
    queue_age_ms: QueueAgeSnapshot,
    /// Figures of the process; 0 where the system lacks them.
    rss_bytes: u64,
    cpu_seconds: f64,
    open_files: u64,
    threads: u64,
}

impl Snapshot {
    pub(super) fn new(node: &str, tally: &Tally, live: &Live) -> Self {
        let Live {
            hub,
            pools,
            started,
            redis,
            guard,
            tuning,
            closures,
            queue_age,
        } = live;
        let outboxes = hub.outboxes();
        let fanout = tally.fanout.quantiles();
        let process = Process::read().unwrap_or_default();
        Self {
            node: node.to_owned(),
            uptime_seconds: started.elapsed().as_secs_f64(),
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
            fanout_p50_ms: millis(fanout.p50),
            fanout_p99_ms: millis(fanout.p99),
            fanout_p999_ms: millis(fanout.p999),
            refused: tally.refused.sum(),
            panics: tally.panics.get(),
            machine: MachineSnapshot::from(&**guard),
            pressure: guard.pressure().into(),
            publish_delay_ms: millis(guard.delay()),
            tuner: tuning.as_deref().map(TunerSnapshot::from),
            redis_up: redis.as_ref().map(|redis| redis.trouble().is_none()),
            data_up: hub.journal().map(|journal| !journal.is_failing()),
            debug_closures: closures.as_ref().map(Closures::ran),
            drops: tally.closed.iter().collect(),
            pools: pools
                .iter()
                .map(|(name, pool)| (*name, PoolStats(pool.stats())))
                .collect(),
            queue_age_ms: (&**queue_age).into(),
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

/// How long tasks of each lane wait for a worker.
#[derive(Serialize)]
struct QueueAgeSnapshot {
    futures: f64,
    normal: f64,
    low: f64,
}

impl From<&QueueAge> for QueueAgeSnapshot {
    fn from(age: &QueueAge) -> Self {
        Self {
            futures: millis(age.futures.get()),
            normal: millis(age.normal.get()),
            low: millis(age.low.get()),
        }
    }
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
struct PoolStats(#[serde(with = "PoolSnapshot")] Stats);
