//! The report of a run, as text and as JSON.

use std::collections::BTreeMap;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::moments::Moment;
use super::verdict::Limit;

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Template)]
#[template(path = "report.txt")]
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

    fn result(&self) -> &'static str {
        match (self.is_clean(), self.interrupted) {
            (true, false) => "every member got every message once, in order",
            (true, true) => "INTERRUPTED; until then every member got every message once, in order",
            (false, false) => "FAILED",
            (false, true) => "INTERRUPTED, with messages under way or lost",
        }
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

    #[test]
    fn a_report_prints_one_figure_a_line() {
        let mut report = Report {
            connections: 3,
            rooms: 1,
            sent: 2,
            expected: 6,
            delivered: 5,
            errors: 2,
            error_kinds: [("hung up".to_owned(), 2)].into(),
            deliveries_per_s: 12.6,
            server_rss_bytes_per_connection: Some(512),
            server_bytes_idle: Some(3 << 19),
            dropped_slow: 1,
            ..Report::default()
        };
        let text = "\
connections   3 in 1 rooms
connect time  0.00 s
server memory 1.5 MiB with all idle, grown by 512 bytes a connection
sent          2 in 0.00 s
delivered     5 of 6 expected
lost          0
duplicated    0
reordered     0
errors        2
              2 × hung up
deliveries/s  13
dropped       1 slow readers
latency       p50 0.00 ms, p99 0.00 ms, p99.9 0.00 ms, max 0.00 ms
own CPU time  0.00 s
result        FAILED
";
        assert_eq!(report.to_string(), text);
        let limit = Limit {
            advice: "rest".to_owned(),
            ..Limit::default()
        };
        report.limit = Some(limit);
        let limit = "\
limit         none: no rate met the goals
settings      defaults
bound by      nothing
advice        rest
";
        assert_eq!(report.to_string(), format!("{text}{limit}"));
    }
}
