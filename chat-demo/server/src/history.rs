//! Recent messages of each room, for clients that join or reconnect. The history outlives the room.
//! Its messages expire by age and by number, and when a room, a user or the total exceeds its
//! memory.

mod budget;
mod log;
mod rooms;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_demo_client::payload::Message;
use chat_demo_client::wire;
use parking_lot::Mutex;

use self::budget::Budget;
use self::log::is_in_use;
use crate::clock;
use crate::epoch::Position;

pub(crate) use self::budget::Limits;
pub(crate) use self::log::Log;

/// How long the last number of a room is kept after its messages have expired. Without it, a
/// returning client would miss messages unnoticed if the room had as many new ones.
pub(crate) const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the age, the user and the frame of a stored message, its text shortened to `limit`
/// bytes.
pub(crate) fn restored(message: &Message, limit: usize) -> (Duration, &str, Bytes) {
    let age = clock::now_ms().saturating_sub(message.ts);
    let frame = wire::restored(message, limit);
    (Duration::from_millis(age), message.user.as_str(), frame)
}

pub(crate) struct History {
    /// Of all logs together.
    budget: Arc<Budget>,
    logs: Mutex<HashMap<Arc<str>, Arc<Log>>>,
}

impl History {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            budget: Arc::new(Budget::new(limits)),
            logs: Mutex::default(),
        }
    }

    /// Returns the log of a room, or a new one. Too many rooms without members evict the oldest.
    pub(crate) fn log(&self, room: &Arc<str>) -> Arc<Log> {
        self.log_if(room, |_| true)
    }

    /// Returns the log of a room, or a new one if the log is in use: an earlier room of that name
    /// may still follow the bus, and two rooms cannot follow it with one log.
    pub(crate) fn unused_log(&self, room: &Arc<str>) -> Arc<Log> {
        self.log_if(room, |log| !is_in_use(log))
    }

    fn log_if(&self, room: &Arc<str>, is_fit: impl FnOnce(&Arc<Log>) -> bool) -> Arc<Log> {
        let mut logs = self.logs.lock();
        if let Some(log) = logs.get(room)
            && is_fit(log)
        {
            return log.clone();
        }
        let log = Log::new(self.budget.clone());
        let replaced = logs.insert(room.clone(), log.clone());
        let forgotten = rooms::evict(&mut logs, self.budget.limits.rooms);
        drop(logs);
        // What they free takes time: not under the lock.
        drop((replaced, forgotten));
        log
    }

    pub(crate) fn get(&self, room: &str) -> Option<Arc<Log>> {
        self.logs.lock().get(room).cloned()
    }

    /// Returns an empty log of no room, with limits like a room's and a budget of its own.
    pub(crate) fn separate_log(&self) -> Arc<Log> {
        Log::new(Arc::new(Budget::new(self.budget.limits)))
    }

    /// Restores a room from where it was kept: the position of its newest message, and messages by
    /// age and user, without gaps.
    pub(crate) fn restore<'a>(
        &self,
        room: &str,
        newest: Position,
        messages: impl Iterator<Item = (Duration, &'a str, Bytes)>,
    ) {
        self.log(&room.into()).begin_at(newest, messages);
    }

    /// Forgets what is too old, and logs of rooms without members that were silent for long or for
    /// ever. A journal says itself which rooms with messages it forgets: see
    /// [`forget`](Self::forget).
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

    /// Returns the number of messages. Reads each log, so that appending costs nothing.
    pub(crate) fn messages(&self) -> usize {
        let logs = self.logs.lock();
        logs.values()
            .map(|log| log.past.lock().messages.len())
            .sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.budget.bytes()
    }
}

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;
