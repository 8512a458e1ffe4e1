//! The messages of one room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::budget::{Budget, MakeRoom, Piece};
use crate::epoch::{Epoch, Position};

pub(crate) struct Log {
    me: Weak<dyn MakeRoom>,
    budget: Arc<Budget>,
    pub(super) past: Mutex<Past>,
}

pub(super) struct Past {
    /// Which numbering `newest` belongs to.
    epoch: Epoch,
    /// The number of the newest message; 0 before the first.
    pub(super) newest: u64,
    pub(super) at: Instant,
    /// The user who published it.
    pub(super) speaker: Option<Arc<str>>,
    /// The newest messages, the newest last, without gaps.
    pub(super) messages: VecDeque<Kept>,
    /// How much they take.
    bytes: usize,
    /// The room's place in the order of rooms by their newest messages.
    place: Option<u64>,
    /// Numbers of messages that have an idempotency key, by the key.
    keys: HashMap<Arc<str>, u64>,
}

pub(super) struct Kept {
    at: Instant,
    user: Arc<str>,
    /// As it was sent.
    frame: Bytes,
    /// Its idempotency key, if it has one.
    key: Option<Arc<str>>,
}

impl Kept {
    /// How much of the budget it takes.
    fn len(&self) -> usize {
        Self::size(&self.frame, self.key.as_deref())
    }

    fn size(frame: &Bytes, key: Option<&str>) -> usize {
        frame.len() + key.map_or(0, str::len)
    }
}

impl Log {
    /// An empty log, which takes from `budget`.
    pub(super) fn new(budget: Arc<Budget>) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            budget,
            past: Mutex::new(Past {
                epoch: Epoch::new(),
                newest: 0,
                at: Instant::now(),
                speaker: None,
                messages: VecDeque::new(),
                bytes: 0,
                place: None,
                keys: HashMap::new(),
            }),
        })
    }

    pub(crate) fn newest(&self) -> Position {
        let past = self.past.lock();
        let (epoch, seq) = (past.epoch, past.newest);
        Position { epoch, seq }
    }

    /// Numbers a message of a user, and keeps the bytes that `make` makes of it. A repetition finds
    /// it by its key.
    pub(crate) fn append<T>(
        &self,
        user: &str,
        key: Option<Arc<str>>,
        make: impl FnOnce(u64) -> (Bytes, T),
    ) -> (u64, T) {
        let (seq, message) = {
            let past = &mut *self.past.lock();
            past.newest += 1;
            let (frame, message) = make(past.newest);
            if let Some(key) = &key {
                past.keys.insert(key.clone(), past.newest);
            }
            self.keep(past, Instant::now(), user, frame, key);
            (past.newest, message)
        };
        self.budget.enforce(user);
        (seq, message)
    }

    /// Returns the number of the message with an idempotency key, if it is kept.
    pub(crate) fn find(&self, key: &str) -> Option<u64> {
        let past = &mut *self.past.lock();
        self.forget_old(past);
        past.keys.get(key).copied()
    }

    /// Keeps a message of a user that has its number already.
    pub(crate) fn push(&self, seq: u64, user: &str, frame: Bytes) {
        {
            let past = &mut *self.past.lock();
            past.newest = seq;
            self.keep(past, Instant::now(), user, frame, None);
        }
        self.budget.enforce(user);
    }

    /// Forgets all, and begins with the position of the newest message and messages by age and
    /// user, without gaps.
    pub(crate) fn begin_at<'a>(
        &self,
        newest: Position,
        messages: impl Iterator<Item = (Duration, &'a str, Bytes)>,
    ) {
        let mut users = Vec::new();
        {
            let past = &mut *self.past.lock();
            while !past.messages.is_empty() {
                self.forget_oldest(past);
            }
            (past.epoch, past.newest) = (newest.epoch, newest.seq);
            let now = Instant::now();
            for (age, user, frame) in messages {
                let at = now.checked_sub(age).unwrap_or(now);
                self.keep(past, at, user, frame, None);
                users.push(user);
            }
        }
        users.sort_unstable();
        users.dedup();
        for user in users {
            self.budget.enforce(user);
        }
    }

    /// Begins a new epoch that continues the numbers of the old one.
    pub(crate) fn fork(&self) {
        self.past.lock().epoch = Epoch::new();
    }

    fn keep(&self, past: &mut Past, at: Instant, user: &str, frame: Bytes, key: Option<Arc<str>>) {
        past.at = at;
        let len = Kept::size(&frame, key.as_deref());
        let log = &self.me;
        let user = self.budget.add(&Piece { log, user, len }, &mut past.place);
        past.speaker = Some(user.clone());
        past.bytes += len;
        past.messages.push_back(Kept {
            at,
            user,
            frame,
            key,
        });
        self.forget_old(past);
        let limits = &self.budget.limits;
        while past.messages.len() > limits.messages || past.bytes > limits.room_bytes {
            self.forget_oldest(past);
        }
    }

    /// Returns all that was said after a message; `None` if some of it was forgotten, or if the
    /// position is of another epoch or beyond the newest message.
    pub(crate) fn after(&self, seen: Position) -> Option<Vec<Bytes>> {
        let past = &mut *self.past.lock();
        if seen.epoch != past.epoch {
            return None;
        }
        self.forget_old(past);
        let missed = usize::try_from(past.newest.checked_sub(seen.seq)?).ok()?;
        let known = past.messages.len().checked_sub(missed)?;
        Some(past.frames(known..past.messages.len()))
    }

    /// The last `limit` messages before the one with this number, or the newest; the oldest comes
    /// first.
    pub(crate) fn before(&self, seq: Option<u64>, limit: usize) -> Vec<Bytes> {
        let past = &mut *self.past.lock();
        self.forget_old(past);
        let newer = seq.map_or(0, |seq| (past.newest + 1).saturating_sub(seq));
        let newer = usize::try_from(newer).unwrap_or(usize::MAX);
        let end = past.messages.len().saturating_sub(newer);
        past.frames(end.saturating_sub(limit)..end)
    }

    pub(super) fn forget_old(&self, past: &mut Past) {
        while let Some(oldest) = past.messages.front()
            && oldest.at.elapsed() >= self.budget.limits.age
        {
            self.forget_oldest(past);
        }
        if past.messages.is_empty() {
            // A quiet room keeps no memory.
            past.messages = VecDeque::new();
            past.keys = HashMap::new();
        }
    }

    fn forget_oldest(&self, past: &mut Past) {
        let Some(oldest) = past.messages.pop_front() else {
            return;
        };
        past.bytes -= oldest.len();
        let (log, user, len) = (&self.me, &*oldest.user, oldest.len());
        let is_last = past.messages.is_empty();
        let piece = Piece { log, user, len };
        self.budget.remove(&piece, is_last, &mut past.place);
        if let Some(key) = &oldest.key {
            past.keys.remove(key);
        }
    }
}

/// Whether there is a room that has the log. Under the lock of the logs none begins to.
pub(super) fn is_in_use(log: &Arc<Log>) -> bool {
    Arc::strong_count(log) > 1
}

impl Past {
    fn frames(&self, range: std::ops::Range<usize>) -> Vec<Bytes> {
        let messages = self.messages.range(range);
        messages.map(|kept| kept.frame.clone()).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut past = self.past.lock();
        while !past.messages.is_empty() {
            self.forget_oldest(&mut past);
        }
    }
}

impl MakeRoom for Log {
    fn make_room(&self) {
        self.forget_oldest(&mut self.past.lock());
    }
}
