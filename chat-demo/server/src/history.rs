//! What was said in each room lately, for those who come back or come late. A room's history outlives the room: it is
//! forgotten by age, by number, or when that of a room, of a user or of all takes too much memory.

mod budget;
mod log;
mod rooms;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use self::budget::Budget;
use self::log::is_in_use;
use crate::epoch::Position;

pub(crate) use self::budget::Limits;
pub(crate) use self::log::Log;

/// How long the number of a room's newest message is known, when the message is not. A client that comes back later
/// than that would be told that nothing is missing, if the room had by then as many new messages.
pub(crate) const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);

/// The logs of all rooms.
pub(crate) struct History {
    /// Of all logs together.
    budget: Arc<Budget<Log>>,
    logs: Mutex<HashMap<Arc<str>, Arc<Log>>>,
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
        let log = Log::new(self.budget.clone());
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

#[cfg(test)]
mod crowd_tests;
#[cfg(test)]
mod tests;
