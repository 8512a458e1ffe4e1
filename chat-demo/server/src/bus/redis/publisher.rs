//! Sends messages to Redis: each room's in order, and again if their arrival is unknown.

mod queues;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::Message;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use self::queues::{BATCH, Pushed, Queues};
use super::announcement;
use super::keys::Keys;
use super::scripts::Call;
use super::shared::Shared;
use crate::bus::{AppendError, BusUnavailable, Mark, Then};
use crate::clock;
use crate::epoch::Epoch;

/// How long a message is tried for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a message may be under way, on a connection that was cut for one.
const LATE: Duration = Duration::from_secs(60 * 60);
/// How long calls that are slow, perhaps to a part of a cluster that is down, hold up the others.
const ROUND: Duration = Duration::from_millis(100);
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
    /// Its number among those of this server; none before its first call.
    count: Option<u64>,
    /// Whether it was in a call before.
    is_repeated: bool,
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
            is_repeated: false,
            is_uncertain: false,
        }
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
    queues: Queues<Entry>,
    /// How many messages were sent.
    count: u64,
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// The rooms of the next round.
    due: Vec<Keys>,
    round: Round,
}

/// Calls that are made together. The next round waits for them, so that it has more messages of
/// each room, which takes less than more calls.
struct Round {
    number: u64,
    /// Its calls without an answer.
    unanswered: usize,
    /// When it is over in any case.
    ends: Instant,
}

/// What came of a call for a room.
struct Called {
    keys: Keys,
    /// The number of its round; none if the room failed before.
    round: Option<u64>,
    entries: Vec<Entry>,
    /// The number of each message in the room, or 0 if it is too old; none without a connection.
    answer: Option<RedisResult<Vec<u64>>>,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>, entries: Receiver<Entry>) -> Self {
        Self {
            shared,
            entries,
            queues: Queues::new(),
            count: 0,
            calls: FuturesUnordered::new(),
            due: Vec::new(),
            round: Round {
                number: 0,
                unanswered: 0,
                ends: Instant::now(),
            },
        }
    }

    /// Runs until no sender is left and all is sent.
    pub(super) async fn run(mut self) {
        let mut received = Vec::new();
        let mut is_open = true;
        while is_open || !self.calls.is_empty() {
            tokio::select! {
                count = self.entries.recv_many(&mut received, BATCH),
                    if is_open && self.queues.has_space() => is_open = count > 0,
                Some(called) = self.calls.next() => self.finish(called),
                () = sleep_until(self.round.ends), if self.round.unanswered > 0 => self.begin_round(),
            }
            while let Some(Some(called)) = self.calls.next().now_or_never() {
                self.finish(called);
            }
            for entry in received.drain(..) {
                let keys = entry.keys.clone();
                match self.queues.push(&keys.channel, entry) {
                    Pushed::First => self.due.push(keys),
                    Pushed::Again => self.call(keys, None),
                    Pushed::Queued => {}
                    Pushed::Refused(entry) => entry.refuse(),
                }
            }
            if self.round.unanswered == 0 {
                self.begin_round();
            }
        }
    }

    fn begin_round(&mut self) {
        let due = mem::take(&mut self.due);
        self.round = Round {
            number: self.round.number + 1,
            unanswered: due.len(),
            ends: Instant::now() + ROUND,
        };
        for keys in due {
            self.call(keys, Some(self.round.number));
        }
    }

    /// Sends what a room has to send: with its round, or after a pause if it failed.
    fn call(&mut self, keys: Keys, round: Option<u64>) {
        let mut entries = self.queues.begin(&keys.channel);
        let shared = self.shared.clone();
        // A room has one call at a time, so the messages of a room are numbered in order.
        for entry in &mut entries {
            self.count += u64::from(entry.count.is_none());
            entry.count.get_or_insert(self.count);
        }
        self.calls.push(Box::pin(async move {
            if round.is_none() {
                let mut changes = shared.link.changes();
                let _ = timeout(PAUSE, changes.changed()).await;
            }
            let answer = match shared.link.now() {
                Ok(mut line) => {
                    let call = append(&shared, &keys, &entries);
                    Some(call.invoke(&mut line.connection).await)
                }
                Err(BusUnavailable) => None,
            };
            Called {
                keys,
                round,
                entries,
                answer,
            }
        }));
    }

    /// Reports the numbers of messages, and sends again what has none.
    fn finish(&mut self, called: Called) {
        let Called {
            keys,
            round,
            mut entries,
            answer,
        } = called;
        if round == Some(self.round.number) {
            self.round.unanswered -= 1;
        }
        let mut seqs = vec![None; entries.len()];
        let is_answered = match &answer {
            Some(Ok(_)) => true,
            Some(Err(error)) => is_reply(error),
            None => false,
        };
        match answer {
            Some(Ok(answer)) => {
                for (seq, number) in seqs.iter_mut().zip(answer) {
                    *seq = Some(number);
                }
            }
            Some(Err(error)) => {
                let is_final = self.is_final(&error);
                for (entry, seq) in entries.iter_mut().zip(&mut seqs) {
                    entry.is_repeated = true;
                    entry.is_uncertain |= !is_reply(&error);
                    *seq = is_final.then_some(0);
                }
            }
            None => {}
        }
        let mut left = Vec::new();
        for (entry, seq) in entries.into_iter().zip(seqs) {
            match seq {
                Some(0) => entry.refuse(),
                Some(seq) => (entry.then)(Ok(seq)),
                None if entry.since.elapsed() < PATIENCE => left.push(entry),
                None => entry.refuse(),
            }
        }
        let fails = !left.is_empty() || !is_answered;
        if self.queues.end(&keys.channel, left, fails) {
            if fails {
                self.call(keys, None);
            } else {
                self.due.push(keys);
            }
        }
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

/// Creates the call that numbers messages of a room.
fn append<'a>(shared: &'a Shared, keys: &Keys, entries: &[Entry]) -> Call<'a> {
    let sent = keys.sent(&shared.server);
    let keys_of = [keys.facts(), keys.log(), keys.keys(), sent];
    let mut call = shared.scripts.append.call(&keys_of);
    call.arg(&shared.server)
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
    for entry in entries {
        call.arg(entry.count)
            .arg(entry.bytes.as_slice())
            .arg(format!("{:08x}", entry.mark.0))
            .arg(&entry.key)
            .arg(u8::from(entry.is_repeated));
    }
    call
}

/// Returns whether the error is a reply of Redis, so that the messages are not stored.
fn is_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Extension | ErrorKind::Server(_))
}
