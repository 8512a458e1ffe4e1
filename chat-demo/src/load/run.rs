//! The phases of a run, seen from the one who watches the members.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use hdrhistogram::Histogram;
use tokio::signal::ctrl_c;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, Interval, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::LoadError;
use super::args::Args;
use super::clock::Clock;
use super::look::{Look, Sums};
use super::pace::Pace;
use super::plan::Plan;
use super::progress::Progress;
use super::report::{Moment, Report};
use super::swarm::histogram;
use super::system::{Sampler, stats};
use super::team::Team;

/// How often the run looks at itself.
const TICK: Duration = Duration::from_millis(20);
/// How long a moment of the report is.
const MOMENT: Duration = Duration::from_millis(500);
/// A step begins so much later than it is told, for other processes to hear of it.
const LEAD: Duration = Duration::from_millis(300);
/// What should not come has so long to come nevertheless: repetitions.
const GRACE: Duration = Duration::from_millis(200);
/// Runs of this process: what one said must not be heard by the next.
static RUNS: AtomicU64 = AtomicU64::new(0);
/// Microseconds in a millisecond.
const MILLI: f64 = 1000.0;

/// See the module's documentation.
pub(super) struct Run {
    connections: u64,
    rooms: u64,
    ramp: Duration,
    patience: Duration,
    several: bool,
    server: SocketAddr,
    sampler: Sampler,
    team: Team,
    clock: Clock,
    begun: Instant,
    interrupts: Interrupts,
    tick: Interval,
    steps: u64,
    /// All that had happened at the end of the last step.
    before: Look,
    memory_before: Option<u64>,
    memory_idle: Option<u64>,
}

/// How a step is published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// Messages a second over all rooms; else as fast as they are acknowledged.
    pub(super) rate: Option<f64>,
    pub(super) time: Option<Duration>,
    /// To each room.
    pub(super) messages: Option<u64>,
}

impl Run {
    /// Lets all begin to connect.
    pub(super) async fn new(args: &Args) -> Result<Self, LoadError> {
        let address = super::find(&args.target).await?;
        let processes = super::processes(args)?;
        let memory_before = stats(address).await.map(|stats| stats.rss_bytes);
        let plan = Plan {
            run: format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Relaxed)),
            target: args.target.clone(),
            address,
            connections: args.connections,
            rooms: args.rooms(),
            publishers: args.publishers,
            window: args.window,
            size: args.size as usize,
            encoding: args.encoding,
            concurrency: args.concurrency,
            connect_rate: args.connect_rate,
            sources: args.sources,
            shares: args.shares().map_err(LoadError::Shares)?,
        };
        Ok(Self {
            connections: args.connections as u64,
            rooms: args.rooms() as u64,
            ramp: args.ramp,
            patience: args.patience,
            several: processes > 1,
            server: address,
            sampler: Sampler::start(address, MOMENT),
            begun: Instant::now(),
            team: Team::start(plan, processes)
                .await
                .map_err(LoadError::Processes)?,
            clock: Clock::new(),
            interrupts: Interrupts::listen(),
            tick: interval(TICK),
            steps: 0,
            before: Look::default(),
            memory_before,
            memory_idle: None,
        })
    }

    /// Waits until each client has joined or failed; tells the seconds.
    pub(super) async fn connect(&mut self) -> f64 {
        let (mut progress, all) = (Progress::new("connecting"), self.connections);
        loop {
            self.tick.tick().await;
            let Look { joined, failed, .. } = self.team.look();
            progress.set(joined, all, "");
            if joined + failed >= all || self.interrupts.stop.is_cancelled() {
                let seconds = self.begun.elapsed().as_secs_f64();
                progress.end(&format!("{joined} of {all} joined in {seconds:.2} s"));
                self.memory_idle = stats(self.server).await.map(|stats| stats.rss_bytes);
                return seconds;
            }
        }
    }

    /// Lets the members be idle.
    pub(super) async fn hold(&mut self, time: Duration) {
        let (mut progress, start) = (Progress::new("holding"), Instant::now());
        eprintln!(
            "holding: {} idle members from now, for {} s",
            self.team.look().joined,
            time.as_secs_f32()
        );
        while start.elapsed() < time && !self.interrupts.stop.is_cancelled() {
            self.tick.tick().await;
            if is_deserted(&self.team.look()) {
                break;
            }
            progress.set(start.elapsed().as_secs(), time.as_secs(), "s");
        }
        self.memory_idle = stats(self.server).await.map(|stats| stats.rss_bytes);
        progress.end("over");
    }

    /// Lets the publishers go, waits until all has arrived or nothing does any more, and reports on this alone. Members
    /// stay for the next step.
    pub(super) async fn step(&mut self, phase: Phase) -> Report {
        self.steps += 1;
        let lead = if self.several { LEAD } else { Duration::ZERO };
        // What nobody has taken is not of this step.
        self.team.look();
        self.sampler.moment();
        let start = Instant::now() + lead;
        let pace = Pace {
            step: self.steps,
            start: self.clock.micros(start),
            rate: phase.rate,
            ramp: self.ramp,
            time: phase.time,
            messages: phase.messages,
        };
        self.team.pace(Some(pace)).await;
        let mut course = Course::new(start, &self.before);
        let given_up = self.follow(phase, start, &mut course).await;
        self.team.pace(None).await;
        if !given_up {
            sleep(GRACE + lead).await;
        }
        course.enter(self.team.look(), &mut self.sampler);
        course.end_moment(&mut self.sampler);
        let mut report = course.report(&self.before, self.clock.micros(start));
        self.before = course.now;
        report.rooms = self.rooms;
        report.interrupted = self.interrupts.stop.is_cancelled();
        report.server_bytes_before = self.memory_before;
        report.server_bytes_idle = self.memory_idle;
        let grown = self.memory_idle.zip(self.memory_before);
        report.server_rss_bytes_per_connection = grown
            .map(|(idle, before)| idle.saturating_sub(before))
            .and_then(|grown| grown.checked_div(report.connections));
        report
    }

    /// Looks at a step until it is over; whether that is because there is nothing to wait for.
    async fn follow(&mut self, phase: Phase, start: Instant, course: &mut Course) -> bool {
        let mut progress = Progress::new("publishing");
        let all = phase
            .messages
            .map(|messages| messages.saturating_mul(self.rooms));
        let (mut moved, mut published) = (start, false);
        loop {
            self.tick.tick().await;
            let before = course.sums;
            course.enter(self.team.look(), &mut self.sampler);
            let (sums, now) = (course.sums, Instant::now());
            if sums != before {
                moved = now;
            }
            progress.set(sums.delivered, sums.expected, &course.note());
            let is_over = phase.time.is_some_and(|time| now >= start + time);
            if !published && (is_over || self.interrupts.stop.is_cancelled()) {
                published = true;
                self.team.pace(None).await;
                moved = now;
            }
            // Other processes tell later what they have done.
            let quiet = !self.several || now.saturating_duration_since(moved) >= LEAD;
            let settled = (published || all == Some(sums.sent))
                && quiet
                && sums.answered >= sums.sent
                && sums.delivered >= sums.expected;
            let deserted = is_deserted(&course.now);
            let impatient = now.saturating_duration_since(moved) > self.patience;
            let done = self.interrupts.done.is_cancelled();
            if settled || deserted || impatient || done {
                progress.end(&format!(
                    "{} sent, {} of {} delivered",
                    sums.sent, sums.delivered, sums.expected
                ));
                return done;
            }
        }
    }

    /// Lets all go.
    pub(super) async fn end(self) {
        self.team.end().await;
    }
}

/// Whether nobody is left of those who came.
fn is_deserted(look: &Look) -> bool {
    look.joined == look.left
}

/// What a step has been like.
struct Course {
    start: Instant,
    base: Look,
    now: Look,
    sums: Sums,
    /// The moment that has not ended, since when it is, and what had happened then.
    latencies: Histogram<u64>,
    since: Instant,
    then: (Sums, u64),
    all: Histogram<u64>,
    moments: Vec<Moment>,
}

impl Course {
    fn new(start: Instant, base: &Look) -> Self {
        Self {
            start,
            base: base.clone(),
            now: base.clone(),
            sums: Sums::default(),
            latencies: histogram(),
            since: start,
            then: (Sums::default(), base.errors()),
            all: histogram(),
            moments: Vec::new(),
        }
    }

    fn enter(&mut self, mut look: Look, sampler: &mut Sampler) {
        for (latency, count) in std::mem::take(&mut look.latencies) {
            self.latencies.saturating_record_n(latency, count);
        }
        self.sums = look.sums_since(&self.base);
        self.now = look;
        if self.since + MOMENT <= Instant::now() {
            self.end_moment(sampler);
        }
    }

    fn end_moment(&mut self, sampler: &mut Sampler) {
        let now = Instant::now();
        let (then, errors) = self.then;
        self.moments.push(Moment {
            at_s: now.saturating_duration_since(self.start).as_secs_f64(),
            sent: self.sums.sent - then.sent,
            delivered: self.sums.delivered - then.delivered,
            errors: self.now.errors().saturating_sub(errors),
            p50_ms: quantile(&self.latencies, 0.5),
            p99_ms: quantile(&self.latencies, 0.99),
            max_ms: quantile(&self.latencies, 1.0),
            members: self.now.joined.saturating_sub(self.now.left),
            server: sampler.moment(),
        });
        self.all.add(&self.latencies).expect("both are alike");
        self.latencies.reset();
        (self.since, self.then) = (now, (self.sums, self.now.errors()));
    }

    /// A line for who waits.
    fn note(&self) -> String {
        let last = self.moments.last().cloned().unwrap_or_default();
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = self.sums.delivered as f64 / seconds.max(f64::MIN_POSITIVE);
        let errors = self.now.errors() - self.base.errors();
        format!(
            "delivered, {rate:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {errors} errors",
            last.p50_ms, last.p99_ms
        )
    }

    fn report(&self, before: &Look, start: u64) -> Report {
        let (sums, now) = (self.sums, &self.now);
        let publish_seconds = now.last_delivery.saturating_sub(start) as f64 / 1e6;
        let mut error_kinds = now.errors.clone();
        error_kinds.retain(|kind, count| {
            *count -= before.errors.get(kind).copied().unwrap_or(0).min(*count);
            *count > 0
        });
        let unanswered = sums.sent.saturating_sub(sums.answered);
        if unanswered > 0 {
            error_kinds.insert("never acknowledged".to_owned(), unanswered);
        }
        Report {
            connections: now.joined,
            sent: sums.sent,
            expected: sums.expected,
            delivered: sums.delivered,
            lost: sums.expected.saturating_sub(sums.delivered),
            duplicated: now.counts.duplicated - before.counts.duplicated,
            reordered: now.counts.reordered - before.counts.reordered,
            errors: error_kinds.values().sum(),
            error_kinds,
            publish_seconds,
            deliveries_per_s: if publish_seconds > 0.0 {
                sums.delivered as f64 / publish_seconds
            } else {
                0.0
            },
            p50_ms: quantile(&self.all, 0.5),
            p99_ms: quantile(&self.all, 0.99),
            p999_ms: quantile(&self.all, 0.999),
            max_ms: quantile(&self.all, 1.0),
            percentiles: percentiles(&self.all),
            dropped_slow: now.dropped_slow - before.dropped_slow,
            reconnects: now.reconnects - before.reconnects,
            cpu_seconds: now.cpu_seconds - before.cpu_seconds,
            timeline: self.moments.clone(),
            ..Report::default()
        }
    }
}

/// The latency that this share kept, in milliseconds.
fn quantile(latencies: &Histogram<u64>, share: f64) -> f64 {
    latencies.value_at_quantile(share) as f64 / MILLI
}

/// Two shares for each halving of what is left of the whole, to where a single delivery is.
fn percentiles(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = latencies.iter_quantiles(2);
    let mut all: Vec<_> = steps
        .map(|step| {
            (
                step.quantile_iterated_to(),
                step.value_iterated_to() as f64 / MILLI,
            )
        })
        .collect();
    all.dedup();
    all
}

/// Ctrl-C: the first ends publishing, the second everything.
struct Interrupts {
    stop: CancellationToken,
    done: CancellationToken,
    listening: JoinHandle<()>,
}

impl Interrupts {
    fn listen() -> Self {
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (first, second) = (stop.clone(), done.clone());
        let listening = tokio::spawn(async move {
            let again = Arc::new(AtomicBool::new(false));
            while ctrl_c().await.is_ok() {
                first.cancel();
                if again.swap(true, Relaxed) {
                    second.cancel();
                }
            }
        });
        Self {
            stop,
            done,
            listening,
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
