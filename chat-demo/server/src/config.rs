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
    #[arg(
        long,
        env = "CHAT_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: ListenAddrs,

    /// The certificate to serve https and wss with. Without one it is http and ws.
    #[command(flatten)]
    pub tls: Option<TlsArgs>,

    /// Name of this server, shown to clients; of several servers each has its own [default: the machine's name and a random number]
    #[arg(
        long,
        env = "CHAT_NODE",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        value_parser = node_name
    )]
    pub node: String,

    /// WebSocket connections at a time: the capacity of the pool
    #[arg(long, env = "CHAT_MAX_CONNECTIONS", value_name = "N", default_value = "16384", value_parser = count)]
    pub max_connections: usize,

    /// What a newcomer meets when all connections are taken
    #[arg(
        long,
        env = "CHAT_WHEN_FULL",
        value_name = "WHAT",
        default_value = "reject"
    )]
    pub when_full: WhenFull,

    /// Sockets that speak HTTP at a time, handshakes included; four times as many wait, those that send nothing make room
    #[arg(long, env = "CHAT_MAX_HANDSHAKES", value_name = "N", default_value = "1024", value_parser = count)]
    pub max_handshakes: usize,

    /// Handshakes that one address, or one /64 network of IPv6, may have at a time; 0 for no bound
    #[arg(
        long,
        env = "CHAT_ADDRESS_HANDSHAKES",
        value_name = "N",
        default_value = "256"
    )]
    pub address_handshakes: usize,

    /// Time for a handshake, and for an idle HTTP connection
    #[arg(long, env = "CHAT_HANDSHAKE_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub handshake_timeout: Duration,

    /// Time for a client's hello after its handshake
    #[arg(long, env = "CHAT_HELLO_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub hello_timeout: Duration,

    /// Time for what one frame asks for; then its client gets an error
    #[arg(long, env = "CHAT_REQUEST_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub request_timeout: Duration,

    /// How often clients are asked to send a heartbeat
    #[arg(long, env = "CHAT_HEARTBEAT", value_name = "TIME", default_value = "30s", value_parser = positive)]
    pub heartbeat: Duration,

    /// How long a silent connection is kept
    #[arg(long, env = "CHAT_IDLE_TIMEOUT", value_name = "TIME", default_value = "75s", value_parser = positive)]
    pub idle_timeout: Duration,

    /// Longest payload of a frame, in bytes
    #[arg(long, env = "CHAT_MAX_PAYLOAD", value_name = "BYTES", default_value = "65536", value_parser = count)]
    pub max_payload: usize,

    /// Rooms a connection may be in at a time
    #[arg(long, env = "CHAT_MAX_ROOMS", value_name = "N", default_value = "64", value_parser = count)]
    pub max_rooms: usize,

    /// What tokens are signed with. Without a secret there are guests alone.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// Let clients without a token in, as guest-NAME, though there is a secret
    #[arg(long, env = "CHAT_ALLOW_GUESTS", value_parser = BoolishValueParser::new())]
    pub allow_guests: bool,

    /// Connections of one user at a time; 0 for no bound
    #[arg(
        long,
        env = "CHAT_USER_CONNECTIONS",
        value_name = "N",
        default_value = "0"
    )]
    pub user_connections: usize,

    /// How long the session of a server that is gone is kept for
    #[arg(long, env = "CHAT_SESSION_TTL", value_name = "TIME", default_value = "300s", value_parser = positive)]
    pub session_ttl: Duration,

    /// Messages a second that one connection may send, and other requests beside them; large ones count more; 0 for no bound
    #[arg(
        long,
        env = "CHAT_CONNECTION_RATE",
        value_name = "N",
        default_value = "0"
    )]
    pub connection_rate: u32,

    /// Messages a second that one user may send, and other requests, over all connections; 0 for no bound
    #[arg(long, env = "CHAT_USER_RATE", value_name = "N", default_value = "0")]
    pub user_rate: u32,

    /// Rooms with more members do not tell who comes and goes
    #[arg(
        long,
        env = "CHAT_PRESENCE_LIMIT",
        value_name = "N",
        default_value = "64"
    )]
    pub presence_limit: usize,

    /// Messages that a room keeps for those who come back
    #[arg(long, env = "CHAT_HISTORY", value_name = "N", default_value = "100")]
    pub history: usize,

    /// How long a message is kept
    #[arg(long, env = "CHAT_HISTORY_AGE", value_name = "TIME", default_value = "60m", value_parser = duration)]
    pub history_age: Duration,

    /// Memory for the messages of all rooms, in bytes
    #[arg(
        long,
        env = "CHAT_HISTORY_BYTES",
        value_name = "BYTES",
        default_value = "67108864"
    )]
    pub history_bytes: usize,

    /// Memory for the messages of one room, in bytes
    #[arg(
        long,
        env = "CHAT_HISTORY_ROOM_BYTES",
        value_name = "BYTES",
        default_value = "4194304"
    )]
    pub history_room_bytes: usize,

    /// Memory for the messages of one user in all rooms, in bytes
    #[arg(
        long,
        env = "CHAT_HISTORY_USER_BYTES",
        value_name = "BYTES",
        default_value = "4194304"
    )]
    pub history_user_bytes: usize,

    /// Rooms without members that are remembered
    #[arg(
        long,
        env = "CHAT_HISTORY_ROOMS",
        value_name = "N",
        default_value = "10000"
    )]
    pub history_rooms: usize,

    /// File to keep messages in: those that were acknowledged survive a crash
    #[arg(long, env = "CHAT_DATA", value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// What rooms are shared by with other servers. Without an address this one is alone.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// How long publishers wait for a client that falls behind, before it is dropped as too slow when its outbox is full
    #[arg(long, env = "CHAT_SLOW_TIMEOUT", value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub slow_timeout: Duration,

    /// Frames that may wait for one client
    #[arg(long, env = "CHAT_OUTBOX_FRAMES", value_name = "N", default_value = "256", value_parser = count)]
    pub outbox_frames: usize,

    /// Bytes that may wait for one client
    #[arg(long, env = "CHAT_OUTBOX_BYTES", value_name = "BYTES", default_value = "262144", value_parser = count)]
    pub outbox_bytes: usize,

    /// Room operations that may wait for a worker; publishers wait when there are more
    #[arg(long, env = "CHAT_FANOUT", value_name = "N", default_value = "1024", value_parser = count)]
    pub fanout: usize,

    /// Worker threads at most; as many as cores by default
    #[arg(long, env = "CHAT_THREADS", value_name = "N", value_parser = count)]
    pub threads: Option<usize>,

    /// Processor time that the server itself uses, in percent of what it may use, from which on newcomers are refused, and
    /// then publishers slowed; 0 for no bound
    #[arg(long, env = "CHAT_MAX_CPU", value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub max_cpu: u8,

    /// Memory that the server itself uses, in percent of what there is or its cgroup allows, from which on the same happens;
    /// 0 for no bound
    #[arg(long, env = "CHAT_MAX_MEMORY", value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub max_memory: u8,

    /// Connections that are let in even then
    #[arg(
        long,
        env = "CHAT_ALWAYS_ADMIT",
        value_name = "N",
        default_value = "100"
    )]
    pub always_admit: usize,

    /// What moves the limits of the pool while it runs
    #[arg(long, env = "CHAT_TUNER", value_name = "POLICY", default_value = "off")]
    pub tuner: TunerPolicy,

    /// Web origin that may connect beside the server's own, like <https://example.com>; may be repeated
    #[arg(long, env = "CHAT_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub allow_origin: Vec<String>,

    /// Let pages of any web origin connect
    #[arg(long, env = "CHAT_ALLOW_ANY_ORIGIN", value_parser = BoolishValueParser::new())]
    pub allow_any_origin: bool,

    /// Time between the notice of a shutdown and the close of connections
    #[arg(long, env = "CHAT_DRAIN_NOTICE", value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub drain_notice: Duration,

    /// Time for connections to end after their close
    #[arg(long, env = "CHAT_DRAIN_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// How log lines look
    #[arg(
        long,
        env = "CHAT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,

    /// Let frames of type 0x7F make their handler panic
    #[arg(
        long,
        env = "CHAT_DEBUG_COMMANDS",
        value_parser = BoolishValueParser::new(),
        help_heading = "Debugging"
    )]
    pub debug_commands: bool,

    /// Keep 64 closures in the pool, each of which occupies a worker for that long: 1ms to 1s
    #[arg(
        long,
        env = "CHAT_DEBUG_CLOSURES",
        value_name = "TIME",
        value_parser = busy,
        help_heading = "Debugging"
    )]
    pub debug_closures: Option<Duration>,

    /// Send each WebSocket message back instead of chatting: for conformance tests
    #[arg(
        long,
        env = "CHAT_ECHO",
        value_parser = BoolishValueParser::new(),
        hide_short_help = true,
        help_heading = "Debugging"
    )]
    pub echo: bool,
}

/// What a newcomer meets when all connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenFull {
    /// 503 at once, with Retry-After
    Reject,
    /// Its turn, when one leaves within the handshake timeout; then 503
    Wait,
}

/// What moves the limits of the pool while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TunerPolicy {
    /// Nothing: they are as they were given
    Off,
    /// Worker threads by the load: 4, 8 or 16
    Stepped,
    /// Room operations at a time, by how long they take
    Gradient,
    /// Worker threads, by whether more do more
    HillClimbing,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs: a JSON object a line
    Json,
}

impl Config {
    /// Checks what no option can check alone; the error names the options.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.max_payload > MAX_MAX_PAYLOAD {
            return Err(ConfigError("--max-payload is at most 8388608"));
        }
        if self.outbox_bytes < self.max_payload + wire::ADDED {
            return Err(ConfigError(
                "--outbox-bytes must be at least --max-payload and 2048 more, or the longest text evicts who gets it",
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

/// The settings of a command line without options, whatever the environment says.
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

/// Two settings that do not go together.
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
fn node_name(text: &str) -> Result<String, String> {
    if text.is_empty() || chat_demo_client::payload::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("not 1 to 64 printable bytes".to_owned())
    }
}
