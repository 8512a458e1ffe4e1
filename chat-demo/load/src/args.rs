//! The options of the load generator.

use std::path::PathBuf;
use std::time::Duration;

use chat_demo_client::subprotocol::Subprotocol;
use clap::Parser;
use humantime::parse_duration;
use serde::{Deserialize, Serialize};

use super::goals::Goals;
use super::parse::{at_least_one, encoding, rate, share, some_time};
use super::serve::ServeArgs;

/// Messages for each room without `--messages` and `--duration`.
const MESSAGES: u64 = 100;

/// Connects many clients, publishes, and checks that each member gets every message once and in
/// order.
#[derive(Clone, Debug, Parser, Serialize, Deserialize)]
pub struct Args {
    /// WebSocket URL of the server
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws")]
    pub target: String,
    /// Number of clients
    #[arg(long, short, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub connections: usize,
    /// Connects a second [default: bounded only by --concurrency]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub connect_rate: Option<f64>,
    /// Concurrent handshakes in each process
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub concurrency: usize,
    /// Number of loopback addresses to connect from, 127.0.0.1 and up; each has about 28,000 ports
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=254))]
    pub sources: u8,
    /// Number of processes [default: as few as the limit of open files allows]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub processes: Option<usize>,
    /// Number of rooms [default: one for each 100 connections]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub rooms: Option<usize>,
    /// Publishers in each room
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub publishers: usize,
    /// Messages for each room [default: 100, or unlimited with --duration]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "duration")]
    pub messages: Option<u64>,
    /// How long to publish
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub duration: Option<Duration>,
    /// Messages a second over all rooms, whether acknowledged or not [default: as fast as
    /// acknowledged]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long the rate takes to rise from 0
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s", requires = "rate")]
    pub ramp: Duration,
    /// Without --rate: unacknowledged messages of each publisher
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub window: usize,
    /// Length of a text, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(48..=1_000_000))]
    pub size: u32,
    /// How payloads are encoded
    #[arg(long, value_name = "ENCODING", default_value = "json", value_parser = encoding())]
    pub encoding: Subprotocol,
    /// Share of the remaining clients that read too slowly, like 5%
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub slow_readers: f64,
    /// Share of the remaining clients that lose their connection about every ten seconds and
    /// reconnect
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub reconnecting: f64,
    /// Share of the remaining clients that join no room
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub idle: f64,
    /// How long to keep the members idle before publishing
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub hold: Option<Duration>,
    /// How long to wait for missing messages
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub patience: Duration,
    /// File for the report as JSON
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub json: Option<PathBuf>,
    /// File for the report as an HTML page with plots
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub html: Option<PathBuf>,
    /// The server to start for the run.
    #[command(flatten)]
    #[serde(skip)]
    pub serve: ServeArgs,
    /// The search for the limit.
    #[command(flatten)]
    #[serde(skip)]
    pub limit: LimitArgs,
    /// Run as one of several processes, controlled by standard input
    #[arg(long, hide = true)]
    pub worker: bool,
}

/// Options of the search for the limit.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct LimitArgs {
    /// Find the highest rate that meets the goals
    #[arg(long, conflicts_with_all = ["messages", "duration"])]
    pub find_limit: bool,
    /// The goals that a rate must meet.
    #[command(flatten)]
    pub goals: Goals,
    /// Time of each step
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = some_time, requires = "find_limit")]
    pub step: Duration,
    /// Highest rate to try
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = rate, requires = "find_limit")]
    pub max_rate: f64,
    /// Number of searches; the median counts
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one, requires = "find_limit")]
    pub repeat: usize,
}

impl Args {
    /// Returns the number of rooms; each has a member.
    #[must_use]
    pub fn rooms(&self) -> usize {
        let rooms = self.rooms.unwrap_or(self.connections / 100);
        rooms.clamp(1, self.connections)
    }

    /// Returns the messages for each room, unless `--duration` bounds them.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        let bounded = self.duration.is_some();
        self.messages.or((!bounded).then_some(MESSAGES))
    }

    /// Fails if the shares of the roles exceed 100%.
    pub(super) fn check_shares(&self) -> Result<(), &'static str> {
        if self.slow_readers + self.reconnecting + self.idle > 1.0 {
            return Err("--slow-readers, --reconnecting and --idle exceed 100% together");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("load").chain(line.split_whitespace()))
    }

    #[test]
    fn rooms_and_messages_have_sensible_defaults() {
        let by_default = args("").expect("valid");
        assert_eq!(
            (by_default.rooms(), by_default.messages()),
            (10, Some(MESSAGES))
        );
        assert_eq!(args("--connections 5").expect("valid").rooms(), 1);
        assert_eq!(args("--connections 5 --rooms 9").expect("valid").rooms(), 5);
        assert_eq!(args("--duration 500ms").expect("valid").messages(), None);
    }

    #[test]
    fn shares_are_parts_or_percentages() {
        let args = args("--slow-readers 5% --reconnecting 0.25 --idle 70%").expect("valid");
        assert!((args.slow_readers - 0.05).abs() < 1e-9);
        assert!((args.reconnecting - 0.25).abs() < 1e-9);
        assert!(args.check_shares().is_ok());
        let args = Args { idle: 0.71, ..args };
        assert!(args.check_shares().is_err());
    }

    #[test]
    fn encodings_have_the_names_of_subprotocols() {
        for (name, subprotocol) in [
            ("json", Subprotocol::Json),
            ("protobuf", Subprotocol::Protobuf),
            ("text", Subprotocol::Text),
        ] {
            let args = args(&format!("--encoding {name}")).expect("valid");
            assert_eq!(args.encoding, subprotocol);
        }
    }

    #[test]
    fn goals_are_options_of_a_search() {
        let given = args("--find-limit --p99 20ms --cpu 70% --memory 60").expect("valid");
        let expected = Goals {
            p99_ms: 20.0,
            cpu_percent: 70.0,
            memory_percent: 60.0,
        };
        assert_eq!(given.limit.goals, expected);
        for goal in ["--p99 20ms", "--cpu 70%", "--memory 60"] {
            assert!(args(goal).is_err(), "{goal} passed without a search");
        }
    }

    #[test]
    fn invalid_options_are_refused() {
        for line in [
            "--connections 0",
            "--rate 0",
            "--rate NaN",
            "--duration -1s",
            "--duration 5",
            "--ramp 5s",
            "--size 3",
            "--messages 1 --duration 1s",
            "--idle 101%",
            "--idle -1",
            "--encoding morse",
        ] {
            assert!(args(line).is_err(), "{line} passed");
        }
    }
}
