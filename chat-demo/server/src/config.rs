//! The server's settings, each a command-line option and an environment variable.

mod listen;
pub(crate) mod parse;
mod redis;
mod redis_url;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use chat_demo_client::wire;
use clap::builder::BoolishValueParser;
use clap::{Args, Command, FromArgMatches, ValueEnum};
use thiserror::Error;

use crate::secret::SecretArgs;
use crate::tls::TlsArgs;

pub use self::listen::ListenAddrs;
use self::parse::{busy, count, duration, percent, positive};
pub use self::redis::{RedisArgs, RedisError, WhenAway};
pub use self::redis_url::RedisUrl;

/// The largest `--max-payload`: what the server adds to a text still fits a frame.
const MAX_MAX_PAYLOAD: usize = 8 << 20;

/// Settings of the server.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Config {
    /// Host name or IP address, and port, to listen on; port 0 takes a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: ListenAddrs,

    /// The certificate to serve https and wss with. Without one it is http and ws.
    #[command(flatten)]
    pub tls: Option<TlsArgs>,

    /// Name of this server, shown to clients; must be unique [default: the machine's name and a
    /// random number]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        value_parser = node_name
    )]
    pub node: String,

    /// Maximum number of connections: WebSocket connections and event streams
    #[arg(long, value_name = "N", default_value = "16384", value_parser = count)]
    pub max_connections: usize,

    /// What to do with new connections at --max-connections
    #[arg(long, value_name = "WHAT", default_value = "reject")]
    pub when_full: WhenFull,

    /// Maximum number of HTTP connections and handshakes; four times as many may wait
    #[arg(long, value_name = "N", default_value = "1024", value_parser = count)]
    pub max_handshakes: usize,

    /// Maximum number of handshakes from one IPv4 address or IPv6 /64 network; 0 for no limit
    #[arg(long, value_name = "N", default_value = "256")]
    pub address_handshakes: usize,

    /// Timeout of handshakes and idle HTTP connections
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub handshake_timeout: Duration,

    /// Timeout of the hello after the handshake
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub hello_timeout: Duration,

    /// Timeout of one request; then the client gets an error
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub request_timeout: Duration,

    /// Interval at which clients should send heartbeats
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive)]
    pub heartbeat: Duration,

    /// How long to keep a silent connection
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = positive)]
    pub idle_timeout: Duration,

    /// Maximum payload of a frame, in bytes
    #[arg(long, value_name = "BYTES", default_value = "65536", value_parser = count)]
    pub max_payload: usize,

    /// Maximum number of rooms that a connection may join
    #[arg(long, value_name = "N", default_value = "64", value_parser = count)]
    pub max_rooms: usize,

    /// The secret of tokens. Without it, all users are guests.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Admit clients without a token, as guest-NAME, despite a secret
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub allow_guests: bool,

    /// Maximum number of connections of one user; 0 for no limit
    #[arg(long, value_name = "N", default_value = "0")]
    pub user_connections: usize,

    /// How long to keep sessions of a dead server
    #[arg(long, value_name = "TIME", default_value = "300s", value_parser = positive)]
    pub session_ttl: Duration,

    /// Messages a second that one connection may send, and as many other requests; large ones count
    /// more; 0 for no limit
    #[arg(long, value_name = "N", default_value = "0")]
    pub connection_rate: u32,

    /// Messages a second that one user may send over all connections to this server, and as many
    /// other requests; 0 for no limit
    #[arg(long, value_name = "N", default_value = "0")]
    pub user_rate: u32,

    /// Maximum number of members of a room that announces joins and leaves
    #[arg(long, value_name = "N", default_value = "64")]
    pub presence_limit: usize,

    /// Messages that a room keeps
    #[arg(long, value_name = "N", default_value = "100")]
    pub history: usize,

    /// How long to keep a message
    #[arg(long, value_name = "TIME", default_value = "60m", value_parser = duration)]
    pub history_age: Duration,

    /// Memory for the messages of all rooms, in bytes
    #[arg(long, value_name = "BYTES", default_value = "67108864")]
    pub history_bytes: usize,

    /// Memory for the messages of one room, in bytes
    #[arg(long, value_name = "BYTES", default_value = "4194304")]
    pub history_room_bytes: usize,

    /// Memory for the messages of one user in all rooms, in bytes
    #[arg(long, value_name = "BYTES", default_value = "4194304")]
    pub history_user_bytes: usize,

    /// Maximum number of rooms without members to keep
    #[arg(long, value_name = "N", default_value = "10000")]
    pub history_rooms: usize,

    /// File for messages; acknowledged messages survive a crash
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// The Redis that servers share. Without an address, the server works alone.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// How long publishers wait for a slow client; after that, a full outbox drops the client
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub slow_timeout: Duration,

    /// Maximum number of frames that wait for one client; up to twice as many during
    /// --slow-timeout
    #[arg(long, value_name = "N", default_value = "256", value_parser = count)]
    pub outbox_frames: usize,

    /// Maximum number of bytes that wait for one client; up to twice as many during
    /// --slow-timeout
    #[arg(long, value_name = "BYTES", default_value = "262144", value_parser = count)]
    pub outbox_bytes: usize,

    /// Maximum number of room operations in the pool; beyond it, publishers wait
    #[arg(long, value_name = "N", default_value = "1024", value_parser = count)]
    pub fanout: usize,

    /// Maximum number of worker threads [default: number of CPUs]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<usize>,

    /// CPU load of the server, in percent of its quota, at which it refuses new connections, then
    /// slows publishers; 0 for no limit
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub max_cpu: u8,

    /// Memory of the server, in percent of the machine or cgroup, at which it refuses new
    /// connections, then slows publishers; 0 for no limit
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub max_memory: u8,

    /// Connections that are accepted even at --max-cpu or --max-memory
    #[arg(long, value_name = "N", default_value = "100")]
    pub always_admit: usize,

    /// Policy that adapts the limits of the pool to the load
    #[arg(long, value_name = "POLICY", default_value = "off")]
    pub tuner: TunerPolicy,

    /// Allowed web origin besides the server's own, like <https://example.com>; may be repeated
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub allow_origin: Vec<String>,

    /// Allow pages of any web origin
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub allow_any_origin: bool,

    /// Time between the notice of a shutdown and the close of connections
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub drain_notice: Duration,

    /// How long to wait for connections to end after their close
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// Format of log lines
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Let frames of type 0x7F panic, to test the containment of panics
    #[arg(long, value_parser = BoolishValueParser::new(), help_heading = "Debugging")]
    pub debug_commands: bool,

    /// Keep 64 closures in the pool; each occupies a worker for this time, 1ms to 1s
    #[arg(long, value_name = "TIME", value_parser = busy, help_heading = "Debugging")]
    pub debug_closures: Option<Duration>,

    /// Echo each WebSocket message, for conformance tests
    #[arg(
        long,
        value_parser = BoolishValueParser::new(),
        hide_short_help = true,
        help_heading = "Debugging"
    )]
    pub echo: bool,
}

/// What to do with new connections when all slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenFull {
    /// Answer 503 with Retry-After at once
    Reject,
    /// Wait for a free slot up to the handshake timeout, then answer 503
    Wait,
}

/// A policy that adapts the limits of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TunerPolicy {
    /// Keep the limits fixed
    Off,
    /// Set 4, 8 or 16 worker threads by load
    Stepped,
    /// Adapt the number of concurrent room operations to their latency
    Gradient,
    /// Adapt the number of worker threads to the throughput
    HillClimbing,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line
    Text,
    /// One JSON object a line
    Json,
}

impl Config {
    /// Checks options against each other. The error names the options.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.max_payload > MAX_MAX_PAYLOAD {
            return Err(ConfigError("--max-payload is at most 8388608"));
        }
        if self.outbox_bytes < self.max_payload + wire::ADDED {
            return Err(ConfigError(
                "--outbox-bytes must be at least --max-payload + 2048, to hold the longest text",
            ));
        }
        if self.idle_timeout <= self.heartbeat {
            return Err(ConfigError(
                "--idle-timeout must be longer than --heartbeat",
            ));
        }
        if self.session_ttl < self.idle_timeout * 2 {
            return Err(ConfigError(
                "--session-ttl must be at least twice --idle-timeout",
            ));
        }
        self.redis.check()
    }
}

/// Gives each option of [`Config`] its environment variable: `CHAT_` and its name.
#[must_use]
pub fn with_variables(command: Command) -> Command {
    command.mut_args(|option| {
        let variable = format!("CHAT_{}", option.get_id().as_str().to_uppercase());
        option.env(variable)
    })
}

/// The default settings, without options and environment variables.
impl Default for Config {
    fn default() -> Self {
        let command =
            Self::augment_args(Command::new("chat-demo")).mut_args(|option| option.env(None));
        let matches = command
            .try_get_matches_from(["chat-demo"])
            .expect("no option is required");
        Self::from_arg_matches(&matches).expect("each default is valid")
    }
}

/// Two conflicting settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) &'static str);

fn origin(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        Some((scheme, host)) if !scheme.is_empty() && !host.is_empty() && !host.contains('/') => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err("not an origin, like https://example.com".to_owned()),
    }
}

/// Empty stands for the default.
fn node_name(text: &str) -> Result<String, &'static str> {
    let is_name = text.is_empty() || chat_demo_client::payload::is_name(text);
    let name = is_name.then(|| text.to_owned());
    name.ok_or("not 1 to 64 printable bytes")
}
