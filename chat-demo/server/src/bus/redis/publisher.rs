//! Sends messages to Redis: in batches, in order, and again if their arrival is unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::Message;
use futures_util::future::join_all;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout};

use super::announcement;
use super::keys::Keys;
use super::link::Line;
use super::shared::Shared;
use crate::bus::{AppendError, BusUnavailable, Mark, Then};
use crate::clock;
use crate::epoch::Epoch;

/// Messages under way at a time.
const BATCH: usize = 256;
/// How long a message is tried for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a message may be under way, on a connection that was cut for one.
const LATE: Duration = Duration::from_secs(60 * 60);
/// Between two attempts on the same connection.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Entry {
    keys: Keys,
    bytes: Vec<u8>,
    mark: Mark,
    /// Its idempotency key, or empty.
    key: String,
    then: Then,
    since: Instant,
    /// Its number among those of this server, when it has been sent.
    count: Option<u64>,
    /// Whether it was sent without an answer: it may be kept, or arrive late.
    is_uncertain: bool,
}

impl Entry {
    pub(super) fn new(message: Message, key: Option<String>, then: Then) -> Self {
        Self {
            keys: Keys::of(&message.room),
            mark: Mark::of(&message),
            key: key.unwrap_or_default(),
            bytes: announcement::stored(message),
            then,
            since: Instant::now(),
            count: None,
            is_uncertain: false,
        }
    }

    /// Adds the message to the call for its room, with the number `next` unless it has one.
    fn add_to(&mut self, call: &mut Cmd, next: u64) {
        let is_again = self.count.is_some();
        call.arg(*self.count.get_or_insert(next))
            .arg(self.bytes.as_slice())
            .arg(format!("{:08x}", self.mark.0))
            .arg(&self.key)
            .arg(u8::from(is_again));
    }

    /// Reports that it has no number.
    fn refuse(self) {
        let error = if self.is_uncertain {
            AppendError::Uncertain
        } else {
            BusUnavailable.into()
        };
        (self.then)(Err(error));
    }
}

pub(super) struct Publisher {
    shared: Arc<Shared>,
    entries: Receiver<Entry>,
    count: u64,
    /// The connection that knows the script.
    known_to: Option<u64>,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>, entries: Receiver<Entry>) -> Self {
        Self {
            shared,
            entries,
            count: 0,
            known_to: None,
        }
    }

    /// Runs until no sender is left.
    pub(super) async fn run(mut self) {
        let mut changes = self.shared.link.changes();
        let mut batch = Vec::new();
        loop {
            if batch.is_empty() {
                if self.entries.recv_many(&mut batch, BATCH).await == 0 {
                    return;
                }
            } else {
                // Queue behind the retries, to keep the order of each room.
                while batch.len() < BATCH
                    && let Ok(entry) = self.entries.try_recv()
                {
                    batch.push(entry);
                }
            }
            batch = self.send(batch).await;
            if !batch.is_empty() {
                // A replaced node of a cluster lacks the scripts.
                self.known_to = None;
                let _ = timeout(PAUSE, changes.changed()).await;
            }
        }
    }

    /// Sends a batch; what is left is to be tried again.
    async fn send(&mut self, mut batch: Vec<Entry>) -> Vec<Entry> {
        let Some(line) = self.line().await else {
            return given_up(batch);
        };
        // Send the messages of a room in one call, or they may lose their order.
        let mut rooms: BTreeMap<String, (Cmd, Vec<usize>)> = BTreeMap::new();
        for (index, entry) in batch.iter_mut().enumerate() {
            let channel = entry.keys.channel.clone();
            let new = || (self.append(&entry.keys), Vec::new());
            let (call, indices) = rooms.entry(channel).or_insert_with(new);
            self.count += u64::from(entry.count.is_none());
            entry.add_to(call, self.count);
            indices.push(index);
        }
        let sending = rooms.into_values().map(|(call, indices)| {
            let mut connection = line.connection.clone();
            async move { (call.query_async(&mut connection).await, indices) }
        });
        let mut seqs = vec![None; batch.len()];
        for (answer, indices) in join_all(sending).await {
            let answer: RedisResult<Vec<u64>> = answer;
            match answer {
                Ok(answer) => {
                    for (index, seq) in indices.into_iter().zip(answer) {
                        seqs[index] = Some(seq);
                    }
                }
                Err(error) => {
                    let is_final = self.is_final(&error);
                    for index in indices {
                        batch[index].is_uncertain |= !is_reply(&error);
                        seqs[index] = is_final.then_some(0);
                    }
                }
            }
        }
        let mut left = Vec::new();
        for (entry, seq) in batch.into_iter().zip(seqs) {
            match seq {
                Some(0) => entry.refuse(),
                Some(seq) => (entry.then)(Ok(seq)),
                None => left.push(entry),
            }
        }
        given_up(left)
    }

    /// A connection that knows the script, so that messages sent together stay in order.
    async fn line(&mut self) -> Option<Line> {
        let mut line = self.shared.link.now().ok()?;
        if self.known_to != Some(line.number) {
            let loaded = self.shared.scripts.append.load_async(&mut line.connection);
            loaded.await.ok()?;
            self.known_to = Some(line.number);
        }
        Some(line)
    }

    /// Creates the call for a room, to which messages are added. For each it returns the number in
    /// the room, or 0 if the message is too old.
    fn append(&self, keys: &Keys) -> Cmd {
        let shared = &self.shared;
        let mut call = redis::cmd("EVALSHA");
        call.arg(shared.scripts.append.get_hash())
            .arg(4)
            .arg(keys.facts())
            .arg(keys.log())
            .arg(keys.keys())
            .arg(keys.sent(&shared.server))
            .arg(&shared.server)
            .arg(shared.kept)
            .arg(clock::millis(shared.kept_for))
            .arg(clock::millis(shared.remember))
            .arg(clock::millis(LATE))
            .arg(shared.publish)
            .arg(&keys.channel)
            .arg(Epoch::new().to_string())
            .arg(&[Kind::MESSAGE.0][..])
            .arg(&[Kind::JOINED.0][..])
            .arg(shared.kept_bytes);
        call
    }

    /// Returns whether Redis has refused a message and would refuse it again, for example because
    /// it is full. After any other failure the message may have been kept.
    fn is_final(&self, error: &RedisError) -> bool {
        self.shared.link.failed(error);
        matches!(
            error.kind(),
            ErrorKind::Extension
                | ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::NoPerm)
        )
    }
}

/// Returns whether the error is a reply of Redis, so that the messages are not stored.
fn is_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Extension | ErrorKind::Server(_))
}

/// Returns the messages to retry; the rest get an error.
fn given_up(batch: Vec<Entry>) -> Vec<Entry> {
    let is_young = |entry: &Entry| entry.since.elapsed() < PATIENCE;
    let (left, old): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_young);
    old.into_iter().for_each(Entry::refuse);
    left
}
