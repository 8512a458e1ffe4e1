//! The phases of a run: connect, hold, publish, disconnect.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chat_demo_client::ClientError;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, Interval, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::clock::Clock;
use super::error::LoadError;
use super::files;
use super::interrupts::Interrupts;
use super::pace::{Load, Pace};
use super::plan::Plan;
use super::progress::{Progress, Search};
use super::report::Report;
use super::snapshot::Snapshot;
use super::system::{Sampler, stats};
use super::timeline::{MOMENT, Timeline, share};
use super::workers::Workers;
use crate::console;

/// How long connecting to the server may take.
const FIND_TIME: Duration = Duration::from_secs(10);

/// How often the run reads its counts.
const TICK: Duration = Duration::from_millis(20);
/// The delay before a step, so that all processes know of it when it starts.
const LEAD: Duration = Duration::from_millis(300);
/// How long to wait for repeated messages after a step.
const GRACE: Duration = Duration::from_millis(200);
/// Counts the runs of this process, so that their rooms have different names.
static RUNS: AtomicU64 = AtomicU64::new(0);

pub(super) struct Run {
    args: Args,
    /// Whether there are several processes, which report with a delay.
    several: bool,
    server: SocketAddr,
    sampler: Sampler,
    workers: Workers,
    clock: Clock,
    begun: Instant,
    stop: CancellationToken,
    done: CancellationToken,
    tick: Interval,
    steps: u64,
    /// The counts at the end of the previous step.
    before: Snapshot,
    memory_before: Option<u64>,
    memory_idle: Option<u64>,
}

impl Run {
    pub(super) async fn new(args: &Args, interrupts: &Interrupts) -> Result<Self, LoadError> {
        let address = interrupts.or_stop(find(&args.target)).await??;
        let processes = files::processes(args)?;
        let memory_before = stats(address).await.map(|stats| stats.rss_bytes);
        args.check_shares().map_err(LoadError::Shares)?;
        let plan = Plan {
            run: format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Relaxed)),
            address,
            args: args.clone(),
            share: (0, 1),
        };
        Ok(Self {
            args: args.clone(),
            several: processes > 1,
            server: address,
            sampler: Sampler::start(address, MOMENT),
            begun: Instant::now(),
            workers: Workers::start(plan, processes)
                .await
                .map_err(LoadError::Processes)?,
            clock: Clock::new(),
            stop: interrupts.stop.clone(),
            done: interrupts.done.clone(),
            tick: interval(TICK),
            steps: 0,
            before: Snapshot::default(),
            memory_before,
            memory_idle: None,
        })
    }

    /// Waits until each client has joined or failed. Returns the seconds.
    pub(super) async fn connect(&mut self) -> f64 {
        let mut progress = Progress::new("connecting", None);
        let all = self.args.connections as u64;
        loop {
            self.tick.tick().await;
            let Snapshot { joined, failed, .. } = self.workers.snapshot();
            progress.set(share(joined, all), &format!("{joined} of {all}"));
            if joined + failed >= all || self.stop.is_cancelled() {
                let seconds = self.begun.elapsed().as_secs_f64();
                progress.end(&format!("{joined} of {all} joined in {seconds:.2} s"));
                self.memory_idle = stats(self.server).await.map(|stats| stats.rss_bytes);
                return seconds;
            }
        }
    }

    pub(super) async fn hold(&mut self, time: Duration) {
        let (mut progress, start) = (Progress::new("holding", None), Instant::now());
        console::note(format_args!(
            "holding: {} idle members from now, for {} s",
            self.workers.snapshot().joined,
            time.as_secs_f32()
        ));
        while start.elapsed() < time && !self.stop.is_cancelled() {
            self.tick.tick().await;
            if is_deserted(&self.workers.snapshot()) {
                break;
            }
            progress.set(part(start.elapsed(), time), "");
        }
        self.memory_idle = stats(self.server).await.map(|stats| stats.rss_bytes);
        progress.end("over");
    }

    /// Publishes until the step is over, waits until all messages have arrived or none arrives any
    /// more, and returns the report of this step. The members stay connected.
    pub(super) async fn step(&mut self, load: Load, search: Option<Search>) -> Report {
        self.steps += 1;
        let lead = if self.several { LEAD } else { Duration::ZERO };
        // Discard the latencies and figures of earlier steps.
        self.workers.snapshot();
        self.sampler.moment();
        self.sampler.stolen_percent();
        let start = Instant::now() + lead;
        let pace = Pace {
            step: self.steps,
            start: self.clock.micros(start),
            load,
        };
        self.workers.pace(Some(pace)).await;
        let mut timeline = Timeline::new(start, &self.before);
        let given_up = self.follow(load, search, start, &mut timeline).await;
        self.workers.pace(None).await;
        if !given_up {
            sleep(GRACE + lead).await;
        }
        timeline.add(self.workers.snapshot(), &mut self.sampler);
        timeline.end_moment(&mut self.sampler);
        let mut report = timeline.report(&self.before, self.clock.micros(start));
        self.before = timeline.now;
        report.rooms = self.args.rooms() as u64;
        report.interrupted = self.stop.is_cancelled();
        report.server_bytes_before = self.memory_before;
        report.server_bytes_idle = self.memory_idle;
        let grown = self.memory_idle.zip(self.memory_before);
        report.server_rss_bytes_per_connection = grown
            .map(|(idle, before)| idle.saturating_sub(before))
            .and_then(|grown| grown.checked_div(report.connections));
        report
    }

    /// Follows a step until it is over. Returns whether a second signal ended it.
    async fn follow(
        &mut self,
        load: Load,
        search: Option<Search>,
        start: Instant,
        timeline: &mut Timeline,
    ) -> bool {
        let mut progress = Progress::new("publishing", search);
        let rooms = self.args.rooms() as u64;
        let all = load.messages.map(|messages| messages.saturating_mul(rooms));
        let (mut moved, mut published) = (start, false);
        loop {
            self.tick.tick().await;
            let before = timeline.sums;
            timeline.add(self.workers.snapshot(), &mut self.sampler);
            let (sums, now) = (timeline.sums, Instant::now());
            if sums != before {
                moved = now;
            }
            let done = match load.time {
                Some(time) => part(now.saturating_duration_since(start), time),
                None => timeline.share(load.messages.unwrap_or_default()),
            };
            progress.set(done, &timeline.note());
            let is_over = load.time.is_some_and(|time| now >= start + time);
            if !published && (is_over || self.stop.is_cancelled()) {
                published = true;
                self.workers.pace(None).await;
                moved = now;
            }
            // Other processes report with a delay.
            let quiet = !self.several || now.saturating_duration_since(moved) >= LEAD;
            let settled = (published || all == Some(sums.sent))
                && quiet
                && sums.answered >= sums.sent
                && sums.delivered >= sums.expected;
            let deserted = is_deserted(&timeline.now);
            let impatient = now.saturating_duration_since(moved) > self.args.patience;
            let done = self.done.is_cancelled();
            if settled || deserted || impatient || done {
                progress.end(&format!(
                    "{} sent, {} of {} delivered",
                    sums.sent, sums.delivered, sums.expected
                ));
                return done;
            }
        }
    }

    pub(super) async fn end(self) {
        self.workers.end().await;
    }
}

/// How much of a time has passed, from 0 to 1.
fn part(done: Duration, all: Duration) -> f64 {
    let all = all.max(Duration::from_nanos(1));
    done.div_duration_f64(all).min(1.0)
}

/// Returns whether all clients that joined have left.
fn is_deserted(snapshot: &Snapshot) -> bool {
    snapshot.joined == snapshot.left
}

/// Returns the first address of the target that accepts a connection: one error now, not one for
/// each client.
async fn find(url: &str) -> Result<SocketAddr, LoadError> {
    let target = chat_demo_client::target(url)?;
    let connected = timeout(FIND_TIME, TcpStream::connect(&target)).await;
    let connected = connected.unwrap_or_else(|late| Err(late.into()));
    let found = connected.and_then(|stream| stream.peer_addr());
    Ok(found.map_err(|source| ClientError::Connect { target, source })?)
}
