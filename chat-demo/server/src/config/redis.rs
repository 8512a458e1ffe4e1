//! How Redis is found and used.

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
    /// <rediss://user:password@host:6380/0>; several of a cluster or of sentinels, separated by commas.
    /// Others see a password in the list of processes, unless it comes from the environment
    #[arg(
        long,
        env = "CHAT_REDIS",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        conflicts_with = "data"
    )]
    pub redis: Vec<RedisUrl>,

    /// The Redis is a cluster
    #[arg(long, env = "CHAT_REDIS_CLUSTER", value_parser = BoolishValueParser::new())]
    pub redis_cluster: bool,

    /// Ask the Redis, which is a sentinel, for the master of that name
    #[arg(
        long,
        env = "CHAT_REDIS_SENTINEL",
        value_name = "MASTER",
        requires = "redis"
    )]
    pub redis_sentinel: Option<String>,

    /// What becomes of rooms while Redis is away
    #[arg(
        long,
        env = "CHAT_REDIS_AWAY",
        value_name = "WHAT",
        default_value = "refuse"
    )]
    pub redis_away: WhenAway,

    /// Connections at most to read old messages from Redis with
    #[arg(long, env = "CHAT_REDIS_READS", value_name = "N", default_value = "16", value_parser = count)]
    pub redis_reads: usize,

    /// How long such a connection is kept unused
    #[arg(long, env = "CHAT_REDIS_READS_IDLE", value_name = "TIME", default_value = "60s", value_parser = positive)]
    pub redis_reads_idle: Duration,

    /// How long such a connection is kept at all
    #[arg(long, env = "CHAT_REDIS_READS_LIFE", value_name = "TIME", default_value = "30m", value_parser = positive)]
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
    /// Nothing can be said: the order of messages is the same everywhere
    Refuse,
    /// Those on this server go on among themselves, and begin anew when it is back
    Local,
}

/// An option of Redis that cannot be used.
#[derive(Debug, Error)]
pub enum RedisError {
    /// An address is none.
    #[error("--redis {url} cannot be used: {source}")]
    Address {
        /// Which one.
        url: RedisUrl,
        /// What is wrong with it.
        source: redis::RedisError,
    },
    /// Several addresses, of what needs one.
    #[error("--redis takes one address, unless with --redis-cluster or --redis-sentinel")]
    Several,
    /// What was said of the sentinels does not go together.
    #[error("--redis-sentinel cannot be used: {0}")]
    Sentinel(redis::RedisError),
}
