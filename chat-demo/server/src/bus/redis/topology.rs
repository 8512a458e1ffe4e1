//! Ways to connect to Redis: one server, sentinels, or a cluster.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_ok;
use redis::aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline,
    ProtocolVersion, RedisError as Error, RedisFuture, RedisResult, TlsMode, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::{RedisArgs, RedisError, RedisUrl};

/// Time for a connection, and for an answer.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
pub(super) const RESPONSE: Duration = Duration::from_secs(3);
/// The most channels in one command.
const CHANNELS: usize = 256;
/// How many keys of a cluster are asked for to find a part that answers.
const PINGS: usize = 16;

#[derive(Clone)]
pub(super) enum Topology {
    One(Box<Client>),
    Sentinels(Arc<Mutex<SentinelClient>>),
    Cluster(Vec<ConnectionInfo>),
}

/// A connection, or those to a cluster; a clone is the same.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Topology {
    pub(super) fn new(args: &RedisArgs) -> Result<Self, RedisError> {
        let addresses: Vec<_> = args.redis.iter().map(address).collect::<Result<_, _>>()?;
        if args.redis_cluster {
            return Ok(Self::Cluster(addresses));
        }
        if let Some(master) = &args.redis_sentinel {
            let sentinels = sentinels(addresses, master).map_err(RedisError::Sentinel)?;
            return Ok(Self::Sentinels(Arc::new(Mutex::new(sentinels))));
        }
        let [one] = <[_; 1]>::try_from(addresses).map_err(|_| RedisError::Several)?;
        let client = Client::open(one).map_err(|source| RedisError::Address {
            url: args.redis[0].clone(),
            source,
        })?;
        Ok(Self::One(Box::new(client)))
    }

    /// Whether announcements go to the part of a cluster that has their room.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Connects; push messages of Redis go to `pushes`, if given.
    pub(super) async fn connect<P: AsyncPushSender>(
        &self,
        pushes: Option<P>,
    ) -> RedisResult<Connection> {
        let connecting = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(RESPONSE));
            let config = |pushes| match pushes {
                Some(pushes) => config.set_push_sender(pushes),
                None => config,
            };
            Ok(match self {
                Self::One(client) => {
                    let config = config(pushes);
                    let client = client.get_multiplexed_async_connection_with_config(&config);
                    Connection::One(client.await?)
                }
                Self::Sentinels(sentinels) => {
                    let config = config(pushes);
                    let mut sentinels = sentinels.lock().await;
                    Connection::One(sentinels.get_async_connection_with_config(&config).await?)
                }
                Self::Cluster(addresses) => {
                    let client = cluster(addresses.clone(), pushes)?;
                    Connection::Cluster(client.get_async_connection().await?)
                }
            })
        };
        let late = |_| Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        timeout(2 * CONNECT, connecting).await.map_err(late)?
    }
}

impl Connection {
    /// Returns how many channels are subscribed in one command.
    pub(super) fn channels_at_once(&self) -> usize {
        match self {
            Self::One(_) => CHANNELS,
            Self::Cluster(_) => 1,
        }
    }

    pub(super) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(one) => one.subscribe(channels).await,
            Self::Cluster(cluster) => {
                for channel in channels {
                    cluster.ssubscribe(channel).await?;
                }
                Ok(())
            }
        }
    }

    pub(super) async fn unsubscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(one) => one.unsubscribe(channels).await,
            Self::Cluster(cluster) => {
                for channel in channels {
                    cluster.sunsubscribe(channel).await?;
                }
                Ok(())
            }
        }
    }

    /// Fails if it does not answer; of a cluster, if no part does.
    pub(super) async fn ping(&mut self) -> RedisResult<()> {
        match self {
            Self::One(one) => one.ping::<()>().await,
            Self::Cluster(cluster) => {
                let pings = (0..PINGS).map(|number| {
                    let mut cluster = cluster.clone();
                    let ping = async move { cluster.exists(format!("chat:{number}")).await };
                    Box::pin(ping)
                });
                let (_, _): (bool, _) = select_ok(pings).await?;
                Ok(())
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(commands, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// An address that is spoken to in the version of the protocol that has announcements among the
/// answers.
fn address(url: &RedisUrl) -> Result<ConnectionInfo, RedisError> {
    let wrong = |source| RedisError::Address {
        url: url.clone(),
        source,
    };
    let info = url.read().map_err(wrong)?;
    let redis = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(redis))
}

fn sentinels(addresses: Vec<ConnectionInfo>, master: &str) -> RedisResult<SentinelClient> {
    // What is said of the first holds for the master, too.
    let settings = addresses[0].redis_settings().clone();
    let tls = match addresses[0].addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => Some(TlsMode::Insecure),
        ConnectionAddr::TcpTls { .. } => Some(TlsMode::Secure),
        _ => None,
    };
    let mut builder = SentinelClientBuilder::new(
        addresses.into_iter().map(|info| info.addr().clone()),
        master,
        SentinelServerType::Master,
    )?
    .set_client_to_redis_protocol(ProtocolVersion::RESP3)
    .set_client_to_redis_db(settings.db());
    if let Some(tls) = tls {
        builder = builder.set_client_to_redis_tls_mode(tls);
    }
    if let Some(username) = settings.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    builder.build()
}

fn cluster<P: AsyncPushSender>(
    addresses: Vec<ConnectionInfo>,
    pushes: Option<P>,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClientBuilder::new(addresses)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(CONNECT)
        .response_timeout(RESPONSE);
    if let Some(pushes) = pushes {
        builder = builder.push_sender(pushes);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn topology(args: &[&str]) -> Result<Topology, RedisError> {
        let command = RedisArgs::augment_args(Command::new("chat-demo"))
            .arg(clap::Arg::new("data").long("data"))
            .mut_args(|option| option.env(None));
        let args = std::iter::once(&"chat-demo").chain(args);
        let matches = command.try_get_matches_from(args).expect("known options");
        Topology::new(&RedisArgs::from_arg_matches(&matches).expect("valid"))
    }

    #[test]
    fn each_way_to_redis_can_be_named() {
        let one = topology(&["--redis", "redis://127.0.0.1:7000/2"]).expect("an address");
        let Topology::One(client) = one else {
            panic!("one server")
        };
        assert_eq!(client.get_connection_info().redis_settings().db(), 2);
        let cluster = topology(&["--redis", "redis://a,redis://b", "--redis-cluster"]);
        assert!(cluster.expect("addresses").is_cluster());
        let sentinels = topology(&["--redis", "redis://a,redis://b", "--redis-sentinel", "m"]);
        assert!(matches!(sentinels, Ok(Topology::Sentinels(_))));
    }

    #[test]
    fn errors_of_addresses_are_reported() {
        let error = |args: &[&str]| topology(args).map(drop).expect_err("wrong").to_string();
        assert!(error(&["--redis", "http://a"]).contains("--redis http://"));
        assert!(error(&["--redis", "redis://a,redis://b"]).contains("--redis-cluster"));
    }
}
