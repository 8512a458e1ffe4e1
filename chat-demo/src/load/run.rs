//! A run in steps. Each step connects its members anew: those of one step are no burden to the next.

use std::{collections::BTreeMap, mem, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Deserialize;
use sysinfo::System;
use tokio::time::{Instant, sleep};

use super::{
    LoadError,
    args::Args,
    report::{Moment, PoolMoment, Report, ServerMoment},
    system,
};

/// Between two looks at the server.
const SPAN: Duration = Duration::from_millis(500);

/// Members that can be put under load step by step.
#[derive(Debug)]
pub(super) struct Run {
    args: Args,
    server: SocketAddr,
}

/// What the server says of itself.
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
    /// A run against the target, if somebody answers there.
    pub(super) async fn new(args: Args) -> Result<Self, LoadError> {
        let server = super::find(&args.target).await?;
        Ok(Self { args, server })
    }

    /// Connects and joins all; tells the seconds. They are let go again: each step has members of its own.
    pub(super) async fn connect(&mut self) -> f64 {
        let nothing = Args {
            messages: Some(0),
            duration: None,
            ..self.args.clone()
        };
        let joined = super::measure_once(nothing).await;
        joined.map_or(0.0, |report| report.connect_seconds)
    }

    /// Lets all go.
    #[expect(
        clippy::unused_async,
        reason = "members that stayed would have to leave"
    )]
    pub(super) async fn end(self) {}

    /// Publishes at that many messages a second for so long, and reports on that alone.
    pub(super) async fn step(&mut self, rate: Option<f64>, time: Duration) -> Report {
        let args = Args {
            rate,
            duration: Some(time),
            messages: None,
            ..self.args.clone()
        };
        let moments = Arc::new(Mutex::new(Vec::new()));
        let looking = tokio::spawn(look(self.server, moments.clone()));
        let before = system::cpu_seconds();
        let report = super::measure_once(args).await;
        looking.abort();
        let mut report = report.unwrap_or_else(|error| Report {
            errors: 1,
            error_kinds: [(error.to_string(), 1)].into(),
            ..Report::default()
        });
        report.cpu_seconds -= before;
        report.timeline = from_the_first_message(mem::take(&mut *moments.lock()));
        report
    }
}

/// Looks at the server now and then, for ever.
async fn look(server: SocketAddr, moments: Arc<Mutex<Vec<Moment>>>) {
    let mut system = System::new();
    system.refresh_cpu_usage();
    let mut before: Option<(Instant, Stats)> = None;
    loop {
        sleep(SPAN).await;
        system.refresh_cpu_usage();
        system.refresh_memory();
        let Some(stats) = system::stats::<Stats>(server).await else {
            continue;
        };
        let now = Instant::now();
        if let Some((then, old)) = &before {
            let span = (now - *then).as_secs_f64();
            let memory = system.used_memory() as f64 / system.total_memory() as f64;
            moments.lock().push(Moment {
                at_s: span,
                sent: stats.messages - old.messages,
                delivered: stats.deliveries - old.deliveries,
                members: stats.connections,
                server: Some(ServerMoment {
                    cpu_percent: (stats.cpu_seconds - old.cpu_seconds) / span * 100.0,
                    rss_bytes: stats.rss_bytes,
                    machine_cpu_percent: Some(f64::from(system.global_cpu_usage())),
                    machine_memory_percent: Some(memory * 100.0),
                    outbox_frames: stats.outbox_frames,
                    pools: stats.pools.clone(),
                }),
                ..Moment::default()
            });
        }
        before = Some((now, stats));
    }
}

/// Turns spans into times since publishing began, as well as the server knows.
fn from_the_first_message(mut moments: Vec<Moment>) -> Vec<Moment> {
    let first = moments.iter().position(|moment| moment.sent > 0);
    let mut moments = moments.split_off(first.unwrap_or(0));
    let mut at_s = 0.0;
    for moment in &mut moments {
        at_s += moment.at_s;
        moment.at_s = at_s;
    }
    moments
}
