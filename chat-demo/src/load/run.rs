//! Stand-in for the run that keeps its members from step to step: this one connects anew for each.

use super::{
    LoadError,
    args::Args,
    report::{Moment, PoolMoment, Report, ServerMoment},
    system,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};
use sysinfo::System;

pub(super) struct Run {
    args: Args,
}

#[derive(Deserialize)]
struct Stats {
    rss_bytes: u64,
    cpu_seconds: f64,
    outbox_frames: u64,
    connections: u64,
    deliveries: u64,
    messages: u64,
    pools: BTreeMap<String, PoolMoment>,
}

impl Run {
    pub(super) async fn new(args: Args) -> Result<Self, LoadError> {
        super::find(&args.target).await?;
        Ok(Self { args })
    }
    #[expect(clippy::unused_async, reason = "stand-in")]
    pub(super) async fn connect(&mut self) -> f64 {
        0.0
    }
    pub(super) async fn step(&mut self, rate: Option<f64>, time: Duration) -> Report {
        let args = Args {
            rate,
            duration: Some(time),
            messages: None,
            ..self.args.clone()
        };
        let server = super::find(&args.target).await.unwrap();
        let sampler = tokio::spawn(sample(server));
        let before = system::cpu_seconds();
        let mut report = super::measure_once(args).await.unwrap();
        report.cpu_seconds -= before;
        sampler.abort();
        report.timeline = match sampler.await {
            Ok(timeline) => timeline,
            Err(_) => std::mem::take(&mut *SAMPLES.lock()),
        };
        let n = report.timeline.iter().position(|m| m.sent > 0).unwrap_or(0);
        let zero = report.timeline.get(n).map_or(0.0, |m| m.at_s) - 0.5;
        report.timeline = report.timeline.split_off(n);
        for m in &mut report.timeline {
            m.at_s -= zero;
            m.p50_ms = report.p50_ms;
            m.p99_ms = report.p99_ms;
            m.max_ms = report.max_ms;
            m.members = report.connections;
        }
        report.percentiles = vec![
            (0.0, report.p50_ms / 2.0),
            (0.5, report.p50_ms),
            (0.99, report.p99_ms),
            (0.9999, report.max_ms),
            (1.0, report.max_ms),
        ];
        report
    }
    #[expect(clippy::unused_async, reason = "stand-in")]
    pub(super) async fn end(self) {}
}

static SAMPLES: parking_lot::Mutex<Vec<Moment>> = parking_lot::Mutex::new(Vec::new());

async fn sample(server: SocketAddr) -> Vec<Moment> {
    let mut system = System::new();
    system.refresh_cpu_usage();
    let start = Instant::now();
    let mut before: Option<(f64, Stats)> = None;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        system.refresh_cpu_usage();
        system.refresh_memory();
        let Some(stats) = system::stats::<Stats>(server).await else {
            continue;
        };
        let at = start.elapsed().as_secs_f64();
        if let Some((then, old)) = &before {
            SAMPLES.lock().push(Moment {
                at_s: at,
                sent: stats.messages - old.messages,
                delivered: stats.deliveries - old.deliveries,
                members: stats.connections,
                server: Some(ServerMoment {
                    cpu_percent: (stats.cpu_seconds - old.cpu_seconds) / (at - then) * 100.0,
                    rss_bytes: stats.rss_bytes,
                    machine_cpu_percent: Some(f64::from(system.global_cpu_usage())),
                    machine_memory_percent: Some(
                        system.used_memory() as f64 / system.total_memory() as f64 * 100.0,
                    ),
                    outbox_frames: stats.outbox_frames,
                    pools: stats.pools.clone(),
                }),
                ..Moment::default()
            });
        }
        before = Some((at, stats));
    }
}
