//! What was said in each room lately, for those who come back or come late. A room's history outlives the room: it is
//! forgotten by age, by number, or when that of a room, of a user or of all takes too much memory.

mod budget;
mod rooms;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use self::budget::{Budget, Piece};
use crate::epoch::{Epoch, Position};

/// How long the number of a room's newest message is known, when the message is not. A client that comes back later
/// than that would be told that nothing is missing, if the room had by then as many new messages.
pub(crate) const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Messages of one room.
    pub(crate) messages: usize,
    /// Age of a message.
    pub(crate) age: Duration,
    /// Bytes of all rooms.
    pub(crate) bytes: usize,
    /// Bytes of one room.
    pub(crate) room_bytes: usize,
    /// Bytes of one user in all rooms.
    pub(crate) user_bytes: usize,
    /// Rooms that nobody is in.
    pub(crate) rooms: usize,
}

/// The logs of all rooms.
pub(crate) struct History {
    /// Of all logs together.
    budget: Arc<Budget>,
    logs: Mutex<HashMap<Arc<str>, Arc<Log>>>,
}

/// What was said in one room.
pub(crate) struct Log {
    me: Weak<Self>,
    budget: Arc<Budget>,
    past: Mutex<Past>,
}

struct Past {
    /// Which numbering `newest` belongs to.
    epoch: Epoch,
    /// The number of the newest message; 0 before the first.
    newest: u64,
    /// When that was.
    at: Instant,
    /// Who said it.
    speaker: Option<Arc<str>>,
    /// The newest messages, the newest last, without gaps.
    messages: VecDeque<Kept>,
    /// How much they take.
    bytes: usize,
    /// The room's place in the order of rooms by their newest messages.
    place: Option<u64>,
    /// Numbers of messages that have an idempotency key, by the key.
    keys: HashMap<Arc<str>, u64>,
}

/// A message in a log.
struct Kept {
    at: Instant,
    user: Arc<str>,
    /// As it was sent.
    frame: Bytes,
    /// Its idempotency key, if it has one and the log tells repetitions.
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

impl History {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            budget: Arc::new(Budget::new(limits)),
            logs: Mutex::default(),
        }
    }

    /// The log of a room, new if there is none. If there are too many then, rooms that nobody is in are forgotten.
    pub(crate) fn log(&self, room: &Arc<str>) -> Arc<Log> {
        let mut logs = self.logs.lock();
        if let Some(log) = logs.get(room) {
            return log.clone();
        }
        let log = Arc::new_cyclic(|me| Log {
            me: me.clone(),
            budget: self.budget.clone(),
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
        });
        logs.insert(room.clone(), log.clone());
        let forgotten = rooms::evict(&mut logs, self.budget.limits.rooms);
        drop(logs);
        // What they free takes time: not under the lock.
        drop(forgotten);
        log
    }

    /// Restores a room from where it was kept: the position of its newest message, and messages by age and user, without
    /// gaps.
    pub(crate) fn restore<'a>(
        &self,
        room: &str,
        newest: Position,
        messages: impl Iterator<Item = (Duration, &'a str, Bytes)>,
    ) {
        self.log(&room.into()).begin_at(newest, messages);
    }

    /// Forgets what is too old, and logs of rooms without members that were silent for long or for ever. A journal says
    /// itself which rooms with messages it forgets: see [`forget`](Self::forget).
    pub(crate) fn expire(&self, journaled: bool) {
        self.logs.lock().retain(|_, log| {
            let past = &mut *log.past.lock();
            log.forget_old(past);
            let is_recent =
                || journaled || past.at.elapsed() < REMEMBER.max(self.budget.limits.age);
            is_in_use(log) || (past.newest > 0 && is_recent())
        });
    }

    /// Forgets a room, unless it is in use; says whether it is forgotten.
    pub(crate) fn forget(&self, room: &str) -> bool {
        let mut logs = self.logs.lock();
        if logs.get(room).is_some_and(is_in_use) {
            return false;
        }
        logs.remove(room);
        true
    }

    /// Returns whether a room was forgotten because there were too many.
    pub(crate) fn is_forgotten(&self, room: &str) -> bool {
        !self.logs.lock().contains_key(room)
    }

    /// How many messages there are. Looks into each log, which costs those who append nothing.
    pub(crate) fn messages(&self) -> usize {
        let logs = self.logs.lock();
        logs.values()
            .map(|log| log.past.lock().messages.len())
            .sum()
    }

    /// How much memory the messages take.
    pub(crate) fn bytes(&self) -> usize {
        self.budget.bytes()
    }
}

impl Log {
    /// Returns the position of the newest message.
    pub(crate) fn newest(&self) -> Position {
        let past = self.past.lock();
        Position {
            epoch: past.epoch,
            seq: past.newest,
        }
    }

    /// Numbers a message of a user, and keeps the bytes that `make` makes of it. A repetition finds it by its key.
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

    /// Forgets all, and begins with the position of the newest message and messages by age and user, without gaps.
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

    /// Begins a new epoch that goes on with the numbers of the old one.
    pub(crate) fn fork(&self) {
        self.past.lock().epoch = Epoch::new();
    }

    fn keep(&self, past: &mut Past, at: Instant, user: &str, frame: Bytes, key: Option<Arc<str>>) {
        past.at = at;
        let len = Kept::size(&frame, key.as_deref());
        let user = self
            .budget
            .add(&Piece::new(self, user, len), &mut past.place);
        past.speaker = Some(user.clone());
        past.bytes += len;
        past.messages.push_back(Kept {
            at,
            user,
            frame,
            key,
        });
        self.forget_old(past);
        let Limits {
            messages,
            room_bytes,
            ..
        } = self.budget.limits;
        while past.messages.len() > messages || past.bytes > room_bytes {
            self.forget_oldest(past);
        }
    }

    /// Forgets the oldest message: others need its memory.
    fn make_room(&self) {
        self.forget_oldest(&mut self.past.lock());
    }

    /// Returns all that was said after a message; `None` if some of it was forgotten, or if the position is of another
    /// epoch or beyond the newest message.
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

    /// The last `limit` messages before the one with this number, or the newest; the oldest comes first.
    pub(crate) fn before(&self, seq: Option<u64>, limit: usize) -> Vec<Bytes> {
        let past = &mut *self.past.lock();
        self.forget_old(past);
        let newer = seq.map_or(0, |seq| (past.newest + 1).saturating_sub(seq));
        let newer = usize::try_from(newer).unwrap_or(usize::MAX);
        let end = past.messages.len().saturating_sub(newer);
        past.frames(end.saturating_sub(limit)..end)
    }

    fn forget_old(&self, past: &mut Past) {
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
        let piece = Piece::new(self, &oldest.user, oldest.len());
        let is_last = past.messages.is_empty();
        self.budget.remove(&piece, is_last, &mut past.place);
        if let Some(key) = &oldest.key {
            past.keys.remove(key);
        }
    }
}

/// Whether there is a room that has the log. Under the lock of the logs none begins to.
fn is_in_use(log: &Arc<Log>) -> bool {
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

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;
