//! The bus over Redis. A script atomically numbers a message, adds it to a stream and announces it.
//! Announcements use Pub/Sub; missed messages are read from the stream.

mod announcement;
mod keys;
mod link;
mod listeners;
mod members;
mod presence;
mod publisher;
mod reads;
mod scripts;
mod sessions;
mod shared;
mod subscriber;
mod topology;
mod trouble;

use std::sync::{Arc, Weak};

use anthill::{JoinHandle, Pool};
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::Message;
use chat_demo_client::wire::Parcel;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::keys::Keys;
use self::link::Link;
use self::listeners::Listeners;
use self::members::Members;
use self::presence::Presence;
use self::publisher::{Entry, Publisher};
use self::reads::{Reads, Size};
use self::scripts::Scripts;
use self::sessions::RedisSessions;
use self::shared::Shared;
use self::subscriber::Subscriber;
use self::topology::RESPONSE;
pub(crate) use self::trouble::Trouble;
use super::{Answer, Bus, BusListener, BusUnavailable, Page, Then, Watch};
use crate::config::{Config, RedisError, WhenAway};
use crate::connection::Connection;
use crate::epoch::Epoch;
use crate::history::REMEMBER;
use crate::sessions::Store;
use crate::worker::on_worker;

/// Messages that may wait to be sent; more, and their publishers wait.
const WAITING: usize = 1024;
/// Announcements that may wait to be handled; more are lost, and their messages read again.
const ANNOUNCED: usize = 4096;
/// Messages that are kept at least for servers that were cut off, however few a client is shown.
const KEPT: usize = 4096;
/// Bytes of the messages of a room that are kept at least.
const KEPT_BYTES: usize = 8 << 20;

pub(crate) struct Redis {
    shared: Arc<Shared>,
    entries: Sender<Entry>,
    listeners: Arc<Listeners>,
    members: Arc<Members>,
    reads: Arc<Reads>,
    /// Listeners that wait before they read again: at most one for each room.
    waits: Pool,
    away: WhenAway,
    end: CancellationToken,
}

impl Redis {
    /// Connects sooner or later; its parts run in `service`, and reads from Redis in `reads`.
    pub(crate) fn start(config: &Config, service: &Pool, reads: Pool) -> Result<Self, RedisError> {
        let topology = topology::Topology::new(&config.redis)?;
        let publish = if topology.is_cluster() {
            "SPUBLISH"
        } else {
            "PUBLISH"
        };
        let shared = Arc::new(Shared {
            link: Arc::new(Link::new(topology.clone())),
            scripts: Scripts::new(),
            server: format!("{}:{:016x}", config.node, fastrand::u64(..)),
            publish,
            remember: REMEMBER.max(config.history_age),
            kept: config.history.max(KEPT),
            kept_bytes: config.history_room_bytes.max(KEPT_BYTES),
            recent: config.history,
            kept_for: config.history_age,
            time_to_live: config.session_ttl,
            presence_limit: config.presence_limit,
        });
        let (args, link) = (config.redis.clone(), shared.link.clone());
        // On a worker, because it needs timers from the start.
        let connections = on_worker(service, move || Reads::new(topology, link, &args));
        let waits = service.subpool().capacity(usize::MAX).build();
        let waits = waits.expect("all settings are valid");
        let (entries, received) = mpsc::channel(WAITING);
        let (pushes, pushed) = mpsc::channel(ANNOUNCED);
        let redis = Self {
            entries,
            listeners: Arc::default(),
            members: Arc::default(),
            reads: Arc::new(connections),
            waits,
            away: config.redis.redis_away,
            end: CancellationToken::new(),
            shared,
        };
        let (shared, listeners) = (&redis.shared, &redis.listeners);
        let subscriber = Subscriber::new(shared.link.clone(), listeners.clone(), reads.clone());
        let (beat, server) = (shared.scripts.beat.clone(), shared.server.clone());
        let presence = Presence::new(beat, server, publish, &config.node);
        redis.run(service, shared.link.clone().keep(presence, pushes));
        redis.run(service, subscriber.run());
        redis.run(service, listeners::dispatch(pushed, listeners.clone()));
        redis.run(service, Publisher::new(shared.clone(), received).run());
        let members = redis.members.clone();
        redis.run(service, members.keep(shared.clone(), listeners.clone()));
        redis.run(service, reads::size(reads, config.redis.redis_reads));
        Ok(redis)
    }

    /// Runs a part of it until its end.
    fn run(&self, service: &Pool, part: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        let running = async move {
            end.run_until_cancelled(part).await;
        };
        let spawned = service.spawn(running);
        spawned.expect("the server has few tasks of its own");
    }

    /// How many may read at first: the capacity of the pool for it.
    pub(crate) fn first_reads(config: &Config) -> usize {
        Size::new(config.redis.redis_reads).now()
    }

    pub(crate) fn sessions(&self) -> Box<dyn Store> {
        Box::new(RedisSessions(self.shared.clone()))
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let link = &self.shared.link;
        link.troubles.now(link.is_connected())
    }

    pub(crate) fn open_reads(&self) -> u32 {
        self.reads.open()
    }

    /// Removes the members that left, before the server exits.
    pub(crate) fn close(&self, service: &Pool) {
        let (members, shared) = (self.members.clone(), self.shared.clone());
        let forgetting = async move {
            // Otherwise they are forgotten when their time is over.
            let _ = timeout(RESPONSE, members.forget(&shared)).await;
        };
        let _ = service.spawn_with_handle(forgetting).map(JoinHandle::wait);
        self.end.cancel();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Bus for Redis {
    fn watch(&self, room: Option<&str>, listener: Weak<dyn BusListener>) -> Watch {
        self.listeners.watch(channel(room), listener)
    }

    fn catch_up(&self, listener: Arc<dyn BusListener>) {
        self.listeners.catch_up(listener);
    }

    fn catch_up_after(&self, wait: BoxFuture<'static, ()>, listener: Arc<dyn BusListener>) {
        let listeners = self.listeners.clone();
        // Ignore an error: the pool is closed, and the server ends.
        let _ = self.waits.spawn(async move {
            wait.await;
            listeners.catch_up(listener);
        });
    }

    fn append(&self, message: Message, key: Option<String>, then: Then) -> Answer<'_, ()> {
        Box::pin(async {
            if !self.shared.link.is_connected() {
                return Err(BusUnavailable);
            }
            let entry = Entry::new(message, key, then);
            self.entries.send(entry).await.map_err(|_| BusUnavailable)
        })
    }

    fn read<'a>(&'a self, room: &'a str, after: Option<u64>) -> Answer<'a, Page> {
        Box::pin(self.reads.page(&self.shared, room, after))
    }

    fn recent<'a>(&'a self, room: &'a str) -> Answer<'a, Vec<Message>> {
        Box::pin(self.reads.recent(&self.shared, room))
    }

    fn fork<'a>(&'a self, room: &'a str, epoch: Epoch) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut connection = self.shared.link.now()?.connection;
            let keys = Keys::of(room);
            let forked: redis::RedisResult<()> = self
                .shared
                .scripts
                .fork
                .call(&[keys.facts(), keys.keys()])
                .arg(epoch.to_string())
                .arg(Epoch::new().to_string())
                .arg(self.shared.publish)
                .arg(&keys.channel)
                .arg(&[Kind::JOINED.0][..])
                .invoke(&mut connection)
                .await;
            forked.map_err(|error| self.shared.link.failed(&error))
        })
    }

    fn announce<'a>(&'a self, room: Option<&'a str>, frame: &'a Parcel) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut connection = self.shared.link.now()?.connection;
            let announced: redis::RedisResult<()> = redis::cmd(self.shared.publish)
                .arg(channel(room))
                .arg(announcement::encode(frame))
                .query_async(&mut connection)
                .await;
            announced.map_err(|error| self.shared.link.failed(&error))
        })
    }

    fn enter<'a>(&'a self, room: &'a Arc<str>, member: &'a Connection) -> Answer<'a, u32> {
        let user = member.user.get().cloned().unwrap_or_default();
        Box::pin(async move {
            let Self {
                members, shared, ..
            } = self;
            members.enter(shared, room, member.id, &user).await
        })
    }

    fn restore_members<'a>(&'a self, room: &'a Arc<str>) -> Answer<'a, u32> {
        Box::pin(self.members.restore(&self.shared, room))
    }

    fn leave(&self, room: &Arc<str>, member: u64) {
        self.members.leave(room, member);
    }

    fn users<'a>(&'a self, room: &'a str, most: usize) -> Answer<'a, Option<Vec<String>>> {
        Box::pin(async move {
            let users = self.reads.users(&self.shared, room, most).await?;
            let lacks = |users: &Vec<String>| self.members.are_missing_in(room, users);
            if !users.as_ref().is_some_and(lacks) {
                return Ok(users);
            }
            // Redis has lost the entry.
            self.members.restore(&self.shared, &room.into()).await?;
            self.reads.users(&self.shared, room, most).await
        })
    }

    fn is_up(&self) -> bool {
        self.shared.link.is_connected()
    }

    fn goes_on_alone(&self) -> bool {
        self.away == WhenAway::Local
    }
}

fn channel(room: Option<&str>) -> String {
    room.map_or_else(|| keys::ALL.to_owned(), |room| Keys::of(room).channel)
}
