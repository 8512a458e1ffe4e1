//! Long reads from Redis, on connections of their own, so that they do not delay messages.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anthill::Pool;
use bb8::ManageConnection;
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::Message;
use redis::{PushInfo, RedisResult};
use tokio::time::interval;

use super::announcement;
use super::keys::Keys;
use super::link::Link;
use super::shared::Shared;
use super::topology::{CONNECT, Connection, Topology};
use crate::bus::{BusUnavailable, Page};
use crate::clock;
use crate::config::RedisArgs;
use crate::epoch::Epoch;

/// Messages that are read at once.
const AT_ONCE: usize = 512;
/// How often the number of connections is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Looks with little use before there are fewer.
const PATIENCE: u32 = 20;

/// Epoch, newest number, its mark, the mark of the message before, messages with their numbers.
type Read = (String, u64, String, String, Vec<(u64, Vec<u8>)>);

/// An entry of a room's stream: its id, and its fields by name.
type Entry = (String, HashMap<String, Vec<u8>>);

/// Connections that are made when they are wanted, and closed when they are not.
pub(super) struct Reads {
    connections: bb8::Pool<Source>,
}

/// Makes connections to the Redis of the link.
struct Source {
    topology: Topology,
    link: Arc<Link>,
}

/// A connection to read on, and the number of the link's connection when it was made.
struct Reader {
    connection: Connection,
    line: Option<u64>,
}

impl ManageConnection for Source {
    type Connection = Reader;
    type Error = redis::RedisError;

    async fn connect(&self) -> RedisResult<Reader> {
        let line = self.link.number();
        let pushes = None::<fn(PushInfo) -> Result<(), BusUnavailable>>;
        let connection = self.topology.connect(pushes).await?;
        Ok(Reader { connection, line })
    }

    async fn is_valid(&self, reader: &mut Reader) -> RedisResult<()> {
        if reader.line != self.link.number() {
            // After a failover the former master may answer still.
            return Err(io::Error::other("the link to Redis is another").into());
        }
        reader.connection.ping().await
    }

    fn has_broken(&self, _: &mut Reader) -> bool {
        false
    }
}

impl Reads {
    pub(super) fn new(topology: Topology, link: Arc<Link>, args: &RedisArgs) -> Self {
        let most = u32::try_from(args.redis_reads).unwrap_or(u32::MAX);
        Self {
            connections: bb8::Pool::builder()
                .max_size(most)
                .idle_timeout(args.redis_reads_idle)
                .max_lifetime(args.redis_reads_life)
                .connection_timeout(CONNECT)
                .build_unchecked(Source { topology, link }),
        }
    }

    pub(super) fn open(&self) -> u32 {
        self.connections.state().connections
    }

    pub(super) async fn page(
        &self,
        shared: &Shared,
        room: &str,
        after: Option<u64>,
    ) -> Result<Page, BusUnavailable> {
        let mut reader = self.connections.get().await.map_err(|_| BusUnavailable)?;
        let most = after.map_or(shared.recent, |_| AT_ONCE);
        let keys = Keys::of(room);
        let read: RedisResult<Read> = shared
            .scripts
            .read
            .call(&[keys.facts(), keys.log(), keys.keys()])
            .arg(after.map_or(String::new(), |seq| seq.to_string()))
            .arg(most)
            .arg(Epoch::new().to_string())
            // Of a room without messages there is nothing to remember.
            .arg(clock::millis(shared.time_to_live))
            .arg(shared.publish)
            .arg(&keys.channel)
            .arg(&[Kind::JOINED.0][..])
            .invoke(&mut reader.connection)
            .await;
        let (epoch, newest, tip, before, messages) =
            read.map_err(|error| shared.link.failed(&error))?;
        let messages = messages
            .into_iter()
            .filter_map(|(seq, bytes)| announcement::restored(room, seq, &bytes));
        Ok(Page {
            epoch: Epoch::parse(&epoch),
            newest,
            tip: announcement::mark(&tip),
            before: announcement::mark(&before),
            messages: messages.collect(),
        })
    }

    /// Reads the newest messages of a room, the oldest first. Writes nothing.
    pub(super) async fn recent(
        &self,
        shared: &Shared,
        room: &str,
    ) -> Result<Vec<Message>, BusUnavailable> {
        if shared.recent == 0 {
            // Redis does not take a count of 0.
            return Ok(Vec::new());
        }
        let mut reader = self.connections.get().await.map_err(|_| BusUnavailable)?;
        let entries: RedisResult<Vec<Entry>> = redis::cmd("XREVRANGE")
            .arg(Keys::of(room).log())
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(shared.recent)
            .query_async(&mut reader.connection)
            .await;
        let entries = entries.map_err(|error| shared.link.failed(&error))?;
        let messages = entries.into_iter().rev().filter_map(|(id, fields)| {
            let (seq, _) = id.split_once('-')?;
            announcement::restored(room, seq.parse().ok()?, fields.get("m")?)
        });
        Ok(messages.collect())
    }

    pub(super) async fn users(
        &self,
        shared: &Shared,
        room: &str,
        most: usize,
    ) -> Result<Option<Vec<String>>, BusUnavailable> {
        let mut reader = self.connections.get().await.map_err(|_| BusUnavailable)?;
        let users: RedisResult<Option<Vec<String>>> = shared
            .scripts
            .users
            .call(&[Keys::of(room).users()])
            .arg(most)
            .invoke(&mut reader.connection)
            .await;
        let users = users.map_err(|error| shared.link.failed(&error))?;
        Ok(users.map(|mut users| {
            users.sort_unstable();
            users
        }))
    }
}

/// How many may read at a time: few as long as few do, for each is a connection.
pub(super) struct Size {
    steps: [usize; 3],
    step: usize,
    /// Looks in a row with little use.
    quiet: u32,
}

impl Size {
    /// Low, medium and high: a quarter, half and all.
    pub(super) fn new(most: usize) -> Self {
        Self {
            steps: [most.div_ceil(4), most.div_ceil(2), most],
            step: 0,
            quiet: 0,
        }
    }

    pub(super) fn now(&self) -> usize {
        self.steps[self.step]
    }

    /// Takes notice of how many read and wait to; the new size, if there is one. It grows at once
    /// when all is in use, and shrinks when the next smaller would have been half empty for a
    /// while.
    fn look(&mut self, reading: usize, waiting: usize) -> Option<usize> {
        let before = self.now();
        let smaller = self.step.checked_sub(1).map(|step| self.steps[step]);
        if waiting > 0 || reading >= before {
            self.quiet = 0;
            self.step = (self.step + 1).min(self.steps.len() - 1);
        } else if smaller.is_some_and(|smaller| reading <= smaller / 2) {
            self.quiet += 1;
            if self.quiet >= PATIENCE {
                self.quiet = 0;
                self.step -= 1;
            }
        } else {
            self.quiet = 0;
        }
        (self.now() != before).then(|| self.now())
    }
}

/// Tunes the pool that reads run in. For ever.
pub(super) async fn size(reads: Pool, most: usize) {
    let mut size = Size::new(most);
    let mut ticks = interval(LOOK);
    loop {
        ticks.tick().await;
        let stats = reads.stats();
        if let Some(capacity) = size.look(stats.in_flight, stats.waiting) {
            tracing::debug!(capacity, "changed the capacity for reads from Redis");
            reads.set_capacity(capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_makes_it_grow_at_once_and_calm_makes_it_shrink_later() {
        let mut size = Size::new(16);
        assert_eq!(size.now(), 4);
        assert_eq!(size.look(3, 0), None);
        assert_eq!(size.look(4, 1), Some(8));
        assert_eq!(size.look(8, 1), Some(16));
        assert_eq!(size.look(16, 9), None);
        let calm: Vec<_> = (0..2 * PATIENCE).filter_map(|_| size.look(0, 0)).collect();
        assert_eq!(calm, [8, 4]);
        assert_eq!((0..2 * PATIENCE).find_map(|_| size.look(0, 0)), None);
    }

    #[test]
    fn oscillating_load_changes_nothing() {
        let mut size = Size::new(16);
        assert_eq!(size.look(4, 0), Some(8));
        for _ in 0..10 {
            for reading in [0, 1, 3, 5, 7] {
                assert_eq!(size.look(reading, 0), None);
            }
        }
    }

    #[test]
    fn one_connection_is_enough() {
        let mut size = Size::new(1);
        assert_eq!((size.now(), size.look(1, 5)), (1, None));
    }
}
