//! Records a step of a run, moment by moment.

use hdrhistogram::Histogram;
use tokio::time::{Duration, Instant};

use super::moments::Moment;
use super::report::Report;
use super::shared::histogram;
use super::snapshot::{Snapshot, Sums};
use super::system::Sampler;

/// The length of a moment of the report.
pub(super) const MOMENT: Duration = Duration::from_millis(500);
const MILLI: f64 = 1000.0;

pub(super) struct Timeline {
    start: Instant,
    base: Snapshot,
    pub(super) now: Snapshot,
    pub(super) sums: Sums,
    /// The current moment: its latencies, its start, and the sums and errors at its start.
    latencies: Histogram<u64>,
    since: Instant,
    then: (Sums, u64),
    all: Histogram<u64>,
    moments: Vec<Moment>,
}

impl Timeline {
    pub(super) fn new(start: Instant, base: &Snapshot) -> Self {
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

    pub(super) fn add(&mut self, mut snapshot: Snapshot, sampler: &mut Sampler) {
        for (latency, count) in std::mem::take(&mut snapshot.latencies) {
            self.latencies.saturating_record_n(latency, count);
        }
        self.sums = snapshot.sums_since(&self.base);
        self.now = snapshot;
        if self.since + MOMENT <= Instant::now() {
            self.end_moment(sampler);
        }
    }

    pub(super) fn end_moment(&mut self, sampler: &mut Sampler) {
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
            stolen_percent: sampler.stolen_percent(),
            server: sampler.moment(),
        });
        let added = self.all.add(&self.latencies);
        added.expect("both have the same bounds");
        self.latencies.reset();
        (self.since, self.then) = (now, (self.sums, self.now.errors()));
    }

    /// Returns how many of the deliveries of so many messages for each room have arrived.
    pub(super) fn share(&self, messages: u64) -> f64 {
        let rooms = self.now.rooms.values();
        let deliveries = rooms.map(|room| room.members * messages).sum();
        share(self.sums.delivered, deliveries)
    }

    pub(super) fn note(&self) -> String {
        let last = self.moments.last().cloned().unwrap_or_default();
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = self.sums.delivered as f64 / seconds.max(f64::MIN_POSITIVE);
        let errors = self.now.errors() - self.base.errors();
        format!(
            "{rate:.0} deliveries/s, p50 {:.1} ms, p99 {:.1} ms, {errors} errors",
            last.p50_ms, last.p99_ms
        )
    }

    pub(super) fn report(&self, before: &Snapshot, start: u64) -> Report {
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
            duplicated: now.duplicated - before.duplicated,
            reordered: now.reordered - before.reordered,
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

pub(super) fn share(done: u64, all: u64) -> f64 {
    (done as f64 / all.max(1) as f64).min(1.0)
}

fn quantile(latencies: &Histogram<u64>, share: f64) -> f64 {
    latencies.value_at_quantile(share) as f64 / MILLI
}

/// Returns quantiles that approach 1: two for each halving of the distance, down to one delivery.
fn percentiles(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = latencies.iter_quantiles(2).map(|step| {
        let ms = step.value_iterated_to() as f64 / MILLI;
        (step.quantile_iterated_to(), ms)
    });
    let mut all: Vec<_> = steps.collect();
    all.dedup();
    all
}
