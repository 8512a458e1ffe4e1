//! The options of Redis.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use thiserror::Error;

use super::ConfigError;
use super::parse::{count, positive};
use super::redis_url::RedisUrl;

/// Where Redis is, and what to do without.
#[derive(Args, Clone, Debug)]
pub struct RedisArgs {
    /// Redis to share rooms with other servers through, like <redis://127.0.0.1> or
    /// <rediss://user:password@host:6380/0>; several of a cluster or of sentinels, separated by
    /// commas. Set a password by the environment: command lines are visible to other users
    #[arg(
        long,
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        conflicts_with = "data"
    )]
    pub redis: Vec<RedisUrl>,

    /// Redis is a cluster
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub redis_cluster: bool,

    /// Name of the master; the addresses of --redis are sentinels
    #[arg(long, value_name = "MASTER", requires = "redis")]
    pub redis_sentinel: Option<String>,

    /// What to do with rooms while Redis is unavailable
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    pub redis_away: WhenAway,

    /// Maximum number of connections that read old messages from Redis
    #[arg(long, value_name = "N", default_value = "16", value_parser = count)]
    pub redis_reads: usize,

    /// How long to keep an idle one of these connections
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = positive)]
    pub redis_reads_idle: Duration,

    /// How long to keep any of these connections
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = positive)]
    pub redis_reads_life: Duration,
}

impl RedisArgs {
    /// Checks what the flag for a cluster needs. The command line cannot: to it, a flag that is
    /// off in the environment is a flag that was given.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.redis_cluster && self.redis.is_empty() {
            return Err(ConfigError("--redis-cluster needs --redis"));
        }
        if self.redis_cluster && self.redis_sentinel.is_some() {
            return Err(ConfigError(
                "--redis-cluster cannot be used with --redis-sentinel",
            ));
        }
        Ok(())
    }
}

/// What becomes of rooms while Redis is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenAway {
    /// Refuse messages, so that their order stays the same on all servers
    Refuse,
    /// Let the clients of this server chat with each other; their rooms begin a new epoch
    /// afterwards
    Local,
}

/// An option of Redis that cannot be used.
#[derive(Debug, Error)]
pub enum RedisError {
    /// An address is none.
    #[error("cannot use --redis {url}: {source}")]
    Address {
        /// Which one.
        url: RedisUrl,
        /// What is wrong with it.
        source: redis::RedisError,
    },
    /// Several addresses, of what needs one.
    #[error("--redis takes one address; several need --redis-cluster or --redis-sentinel")]
    Several,
    /// What was said of the sentinels does not go together.
    #[error("cannot use --redis-sentinel: {0}")]
    Sentinel(redis::RedisError),
}
