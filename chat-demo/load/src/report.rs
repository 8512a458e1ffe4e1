//! The report of a run, as text and as JSON.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::moments::Moment;
use super::verdict::Limit;

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Clients that got a welcome, and joined their room unless they are idle.
    pub connections: u64,
    /// The number of rooms.
    pub rooms: u64,
    /// Seconds from the first attempt to the last member.
    pub connect_seconds: f64,
    /// Messages published.
    pub sent: u64,
    /// Expected deliveries: one for each accepted message and member of its room.
    pub expected: u64,
    /// Deliveries, each counted once.
    pub delivered: u64,
    /// Expected deliveries that did not arrive.
    pub lost: u64,
    /// Deliveries that arrived again.
    pub duplicated: u64,
    /// Deliveries that arrived after a later one.
    pub reordered: u64,
    /// Refusals, broken connections and other errors.
    pub errors: u64,
    /// Errors by kind.
    pub error_kinds: BTreeMap<String, u64>,
    /// Seconds from the start of publishing to the last delivery.
    pub publish_seconds: f64,
    /// Deliveries a second in that time.
    pub deliveries_per_s: f64,
    /// The median latency, from the time at which the message was due.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// 999 of 1,000 took no longer.
    pub p999_ms: f64,
    /// None took longer.
    pub max_ms: f64,
    /// Quantiles of the latency, from 0 to 1, finer towards 1.
    pub percentiles: Vec<(f64, f64)>,
    /// Slow readers that the server dropped.
    pub dropped_slow: u64,
    /// Times that a client reconnected.
    pub reconnects: u64,
    /// CPU seconds of the load generator.
    pub cpu_seconds: f64,
    /// Resident memory of the server before the first connection, if known.
    pub server_bytes_before: Option<u64>,
    /// Resident memory of the server with all members idle, if known.
    pub server_bytes_idle: Option<u64>,
    /// Growth of the server's resident memory for each idle client, in bytes.
    pub server_rss_bytes_per_connection: Option<u64>,
    /// Whether a signal ended the run.
    pub interrupted: bool,
    /// The moments of the run.
    pub timeline: Vec<Moment>,
    /// The limit, if searched for. The remaining figures are of the step nearest to it.
    pub limit: Option<Limit>,
}

impl Report {
    /// Returns whether every member got every message once and in order, without errors.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.delivered == self.expected
            && self.lost + self.duplicated + self.reordered + self.errors == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "{name:<14}{value}");
        line(
            "connections",
            format_args!("{} in {} rooms", self.connections, self.rooms),
        )?;
        line(
            "connect time",
            format_args!("{:.2} s", self.connect_seconds),
        )?;
        if let (Some(bytes), Some(idle)) =
            (self.server_rss_bytes_per_connection, self.server_bytes_idle)
        {
            let idle = idle as f64 / f64::from(1 << 20);
            line(
                "server memory",
                format_args!("{idle:.1} MiB with all idle, {bytes} bytes a connection"),
            )?;
        }
        line(
            "sent",
            format_args!("{} in {:.2} s", self.sent, self.publish_seconds),
        )?;
        line(
            "delivered",
            format_args!("{} of {} expected", self.delivered, self.expected),
        )?;
        line("lost", format_args!("{}", self.lost))?;
        line("duplicated", format_args!("{}", self.duplicated))?;
        line("reordered", format_args!("{}", self.reordered))?;
        line("errors", format_args!("{}", self.errors))?;
        for (kind, number) in &self.error_kinds {
            line("", format_args!("{number} × {kind}"))?;
        }
        line("deliveries/s", format_args!("{:.0}", self.deliveries_per_s))?;
        let Self {
            p50_ms,
            p99_ms,
            p999_ms,
            max_ms,
            ..
        } = self;
        if self.dropped_slow > 0 {
            line(
                "dropped",
                format_args!("{} slow readers", self.dropped_slow),
            )?;
        }
        if self.reconnects > 0 {
            line("reconnects", format_args!("{}", self.reconnects))?;
        }
        line(
            "latency",
            format_args!(
                "p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, p99.9 {p999_ms:.2} ms, max {max_ms:.2} ms"
            ),
        )?;
        line("own CPU time", format_args!("{:.2} s", self.cpu_seconds))?;
        let verdict = match (self.is_clean(), self.interrupted) {
            (true, false) => "every member got every message once, in order",
            (true, true) => "INTERRUPTED; until then every member got every message once, in order",
            (false, false) => "FAILED",
            (false, true) => "INTERRUPTED, with messages under way or lost",
        };
        line("result", format_args!("{verdict}"))?;
        self.limit
            .as_ref()
            .map_or(Ok(()), |limit| write!(f, "{limit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_mismatch_is_not_clean() {
        let clean = Report {
            expected: 6,
            delivered: 6,
            ..Report::default()
        };
        assert!(clean.is_clean());
        for spoil in [
            |report: &mut Report| report.delivered = 5,
            |report: &mut Report| report.lost = 1,
            |report: &mut Report| report.duplicated = 1,
            |report: &mut Report| report.reordered = 1,
            |report: &mut Report| report.errors = 1,
        ] {
            let mut report = clean.clone();
            spoil(&mut report);
            assert!(!report.is_clean());
        }
    }
}
