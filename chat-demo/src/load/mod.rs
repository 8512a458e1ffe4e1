//! `chat-demo load`: many clients against one server, and whether each got what it should.

mod args;
mod goals;
mod ledger;
mod limit;
mod member;
mod page;
mod progress;
mod publisher;
mod report;
mod rounds;
mod run;
mod serve;
mod sources;
mod swarm;
mod system;
mod tuning;
mod verdict;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::TcpStream,
    signal::ctrl_c,
    task::JoinSet,
    time::{Instant, Interval, interval, sleep, timeout},
};

pub use self::{
    args::Args,
    goals::{Goal, Goals, Step},
    page::{PageError, PlotError},
    report::{Moment, PoolMoment, Report, ServerMoment},
    rounds::LimitArgs,
    serve::{ServeArgs, ServeError},
    verdict::{Bound, Limit, Round},
};
use self::{
    ledger::Counts,
    member::Outcome,
    page::About,
    progress::Progress,
    swarm::{Sums, Swarm},
};
use crate::client::{self, ClientError};

/// How often the run looks at itself.
const TICK: Duration = Duration::from_millis(20);
/// What should not come has so long to come nevertheless: repetitions.
const GRACE: Duration = Duration::from_millis(200);
/// How long to look for the server.
const FIND_TIME: Duration = Duration::from_secs(10);
/// Open files besides the connections: standard streams, the runtime's own, the report.
const OTHER_FILES: u64 = 32;

/// Why a run could not begin, or its report not be kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The target is no address, or nobody answers there.
    #[error(transparent)]
    Target(#[from] ClientError),
    /// The system gives a process fewer files than the run needs.
    #[error(
        "{needed} open files are needed and {limit} allowed: raise the limit (ulimit -Hn) or run several at once"
    )]
    Files {
        /// One for each connection, and a few.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The runtime did not start.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// There is no server to load.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The page could not be made.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The report could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LoadError {
    fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Write { path, source }
    }
}

/// Runs the load, prints the report, and fails unless it is clean.
pub fn run(args: &Args) -> Result<ExitCode, LoadError> {
    let needed = args.connections as u64 + OTHER_FILES;
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit < needed {
        return Err(LoadError::Files { needed, limit });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LoadError::Runtime)?;
    let report = runtime.block_on(measure(args.clone()))?;
    print!("{report}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report).map_err(io::Error::from);
        json.and_then(|json| fs::write(path, json))
            .map_err(|source| LoadError::write(path, source))?;
    }
    if let Some(path) = &args.html {
        let page = page::html(&report, &About::here())?;
        fs::write(path, page).map_err(|source| LoadError::write(path, source))?;
    }
    let found = report.limit.as_ref().is_none_or(|limit| limit.rate > 0.0);
    Ok(if report.is_clean() && found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the load: all connect and join, all stay idle for a while, some publish, all leave.
pub async fn measure(mut args: Args) -> Result<Report, LoadError> {
    if args.limit.find_limit {
        return rounds::find(args).await;
    }
    let server = args.serve.start(args.connections).await?;
    if let Some(server) = &server {
        args.target = server.target();
    }
    let mut report = measure_once(args).await?;
    if let Some(server) = server {
        server.end_into(&mut report).await;
    }
    Ok(report)
}

async fn measure_once(args: Args) -> Result<Report, LoadError> {
    let server = find(&args.target).await?;
    let hold = args.hold;
    let before = system::server_memory(server).await;
    let swarm = Arc::new(Swarm::new(args, server));
    let interrupts = tokio::spawn(obey_interrupts(Arc::clone(&swarm)));
    let mut members = JoinSet::new();
    for number in 0..swarm.args.connections {
        members.spawn(member::run(Arc::clone(&swarm), number));
    }

    let mut run = Run {
        swarm,
        tick: interval(TICK),
    };
    let connect_seconds = run.connect().await;
    let idle = match hold {
        Some(time) => run.hold(time, server).await,
        None => None,
    };
    let start = Instant::now();
    let sums = run.publish(start).await;
    interrupts.abort();
    run.swarm.done.cancel();
    let outcomes = members.join_all().await;
    let mut report = run.report(sums, &outcomes, start);
    report.connect_seconds = connect_seconds;
    report.server_bytes_before = before;
    report.server_bytes_idle = idle;
    report.server_rss_bytes_per_connection = idle
        .zip(before)
        .and_then(|(idle, before)| idle.saturating_sub(before).checked_div(report.connections));
    Ok(report)
}

/// The first of the target's addresses at which somebody answers: one error now, not one for each client.
async fn find(url: &str) -> Result<SocketAddr, LoadError> {
    let target = client::target(url)?;
    let found = match timeout(FIND_TIME, TcpStream::connect(&target)).await {
        Ok(connected) => connected.and_then(|stream| stream.peer_addr()),
        Err(late) => Err(late.into()),
    };
    Ok(found.map_err(|source| ClientError::Connect { target, source })?)
}

/// The first interrupt ends publishing, the second everything.
async fn obey_interrupts(swarm: Arc<Swarm>) {
    while ctrl_c().await.is_ok() {
        swarm.stop.cancel();
        if swarm.interrupted.swap(true, Relaxed) {
            swarm.done.cancel();
        }
    }
}

/// The phases, seen from the one who watches the members.
struct Run {
    swarm: Arc<Swarm>,
    tick: Interval,
}

impl Run {
    /// Waits until each client has joined or failed; tells the seconds.
    async fn connect(&mut self) -> f64 {
        let (mut progress, start) = (Progress::new("connecting"), Instant::now());
        let all = self.swarm.args.connections as u64;
        loop {
            self.tick.tick().await;
            let (joined, failed) = self.swarm.arrivals();
            progress.set(joined, all, "");
            if joined + failed == all || self.swarm.stop.is_cancelled() {
                let seconds = start.elapsed().as_secs_f64();
                progress.end(&format!("{joined} of {all} joined in {seconds:.2} s"));
                return seconds;
            }
        }
    }

    /// Lets the members be idle; tells the server's memory at the end.
    async fn hold(&mut self, time: Duration, server: SocketAddr) -> Option<u64> {
        let (mut progress, start) = (Progress::new("holding"), Instant::now());
        eprintln!(
            "holding: {} idle members from now, for {} s",
            self.swarm.arrivals().0,
            time.as_secs_f32()
        );
        let over = || self.swarm.stop.is_cancelled() || self.swarm.is_deserted();
        while start.elapsed() < time && !over() {
            self.tick.tick().await;
            progress.set(start.elapsed().as_secs(), time.as_secs(), "s");
        }
        let memory = system::server_memory(server).await;
        progress.end("over");
        memory
    }

    /// Lets the publishers go and waits until all has arrived, or nothing does any more.
    async fn publish(&mut self, start: Instant) -> Sums {
        let (mut progress, swarm) = (Progress::new("publishing"), Arc::clone(&self.swarm));
        swarm.start.send_replace(Some(start));
        let (mut sums, mut moved) = (swarm.sums(), start);
        loop {
            self.tick.tick().await;
            let before = std::mem::replace(&mut sums, swarm.sums());
            if sums != before {
                moved = Instant::now();
            }
            let rate = sums.delivered as f64 / start.elapsed().as_secs_f64();
            progress.set(
                sums.delivered,
                sums.expected,
                &format!("delivered, {rate:.0}/s"),
            );
            let given_up = moved.elapsed() > swarm.args.patience;
            let over = swarm.settled(sums) || swarm.is_deserted() || swarm.done.is_cancelled();
            if over || given_up {
                progress.end(&format!(
                    "{} sent, {} of {} delivered",
                    sums.sent, sums.delivered, sums.expected
                ));
                sleep(GRACE).await;
                return sums;
            }
            if self.is_over_time(start) {
                swarm.stop.cancel();
            }
        }
    }

    fn is_over_time(&self, start: Instant) -> bool {
        self.swarm
            .args
            .duration
            .is_some_and(|time| start.elapsed() >= time)
    }

    fn report(&self, sums: Sums, outcomes: &[Outcome], start: Instant) -> Report {
        let swarm = &self.swarm;
        let mut counts = Counts::default();
        for outcome in outcomes {
            counts += outcome.counts;
        }
        let last = outcomes
            .iter()
            .filter_map(|outcome| outcome.last_delivery)
            .max()
            .unwrap_or(start);
        let publish_seconds = (last - start).as_secs_f64();
        let unanswered = sums.sent.saturating_sub(sums.answered);
        if unanswered > 0 {
            swarm
                .errors
                .add_many("never acknowledged".to_owned(), unanswered);
        }
        let (error_kinds, errors) = swarm.errors.list();
        Report {
            connections: swarm.arrivals().0,
            rooms: swarm.args.rooms() as u64,
            sent: sums.sent,
            expected: sums.expected,
            delivered: counts.delivered,
            lost: sums.expected.saturating_sub(counts.delivered),
            duplicated: counts.duplicated,
            reordered: counts.reordered,
            errors,
            error_kinds,
            publish_seconds,
            deliveries_per_s: if publish_seconds > 0.0 {
                counts.delivered as f64 / publish_seconds
            } else {
                0.0
            },
            p50_ms: swarm.latency_ms(0.5),
            p99_ms: swarm.latency_ms(0.99),
            p999_ms: swarm.latency_ms(0.999),
            max_ms: swarm.latency_ms(1.0),
            percentiles: swarm.percentiles(),
            cpu_seconds: system::cpu_seconds(),
            interrupted: swarm.interrupted.load(Relaxed),
            ..Report::default()
        }
    }
}
