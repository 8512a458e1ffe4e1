//! The memory of messages by room and user, and which messages to evict.
//!
//! A user over the limit loses the oldest messages in the room where the user has most. If the
//! total is over its limit, the longest silent room loses its oldest messages. So no user evicts
//! messages of another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) age: Duration,
    /// Bytes of all rooms.
    pub(crate) bytes: usize,
    /// Bytes of one room.
    pub(crate) room_bytes: usize,
    /// Bytes of one user in all rooms.
    pub(crate) user_bytes: usize,
    /// Rooms without members.
    pub(crate) rooms: usize,
}

/// Of a full budget, what is made free at once: to look for it costs more than to free it.
const FREED: usize = 8;

/// A log that takes from a budget.
pub(super) trait MakeRoom: Send + Sync {
    /// Forgets the oldest message, because others need its memory.
    fn make_room(&self);
}

pub(super) struct Budget {
    pub(super) limits: Limits,
    uses: Mutex<Uses>,
}

#[derive(Default)]
struct Uses {
    /// Of all messages.
    bytes: usize,
    users: HashMap<Arc<str>, UserUse>,
    /// Rooms with messages, the longest silent first.
    rooms: BTreeMap<u64, Weak<dyn MakeRoom>>,
    /// The place of the next message in that order.
    next: u64,
}

#[derive(Default)]
struct UserUse {
    bytes: usize,
    /// In each room, by the address of its log.
    rooms: HashMap<usize, (usize, Weak<dyn MakeRoom>)>,
}

/// A message of the log at `room`.
pub(super) struct Piece<'a> {
    pub(super) log: &'a Weak<dyn MakeRoom>,
    pub(super) user: &'a str,
    pub(super) len: usize,
}

impl Piece<'_> {
    fn room(&self) -> usize {
        self.log.as_ptr().addr()
    }
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            uses: Mutex::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.uses.lock().bytes
    }

    /// Counts a message, and moves its room to the end of the line at `place`. Returns its user's
    /// name, shared.
    pub(super) fn add(&self, piece: &Piece<'_>, place: &mut Option<u64>) -> Arc<str> {
        let uses = &mut *self.uses.lock();
        uses.bytes += piece.len;
        if let Some(place) = place.replace(uses.next) {
            uses.rooms.remove(&place);
        }
        uses.rooms.insert(uses.next, piece.log.clone());
        uses.next += 1;
        let name = match uses.users.get_key_value(piece.user) {
            Some((name, _)) => name.clone(),
            None => Arc::from(piece.user),
        };
        let user = uses.users.entry(name.clone()).or_default();
        user.bytes += piece.len;
        let room = user.rooms.entry(piece.room());
        room.or_insert_with(|| (0, piece.log.clone())).0 += piece.len;
        name
    }

    /// Counts a message no more. A room without messages leaves its `place`.
    pub(super) fn remove(&self, piece: &Piece<'_>, is_last: bool, place: &mut Option<u64>) {
        let uses = &mut *self.uses.lock();
        uses.bytes -= piece.len;
        if is_last && let Some(place) = place.take() {
            uses.rooms.remove(&place);
        }
        let Some(user) = uses.users.get_mut(piece.user) else {
            return;
        };
        user.bytes -= piece.len;
        if let Some((bytes, _)) = user.rooms.get_mut(&piece.room()) {
            *bytes -= piece.len;
            if *bytes == 0 {
                user.rooms.remove(&piece.room());
            }
        }
        if user.rooms.is_empty() {
            uses.users.remove(piece.user);
        }
    }

    /// Makes room after a message of `user`. Called without the lock of any log.
    pub(super) fn enforce(&self, user: &str) {
        let Limits {
            bytes, user_bytes, ..
        } = self.limits;
        if self.of(user) > user_bytes {
            self.free(|uses| {
                let user = uses.users.get(user)?;
                let is_over = user.bytes > user_bytes - user_bytes / FREED;
                let most = || user.rooms.values().max_by_key(|(bytes, _)| *bytes);
                is_over.then(most)?.map(|(_, log)| log.clone())
            });
        }
        if self.bytes() > bytes {
            self.free(|uses| {
                let is_over = uses.bytes > bytes - bytes / FREED;
                let silent = || uses.rooms.values().next().cloned();
                is_over.then(silent)?
            });
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let uses = self.uses.lock();
        uses.users.is_empty() && uses.rooms.is_empty()
    }

    fn of(&self, user: &str) -> usize {
        let uses = self.uses.lock();
        uses.users.get(user).map_or(0, |user| user.bytes)
    }

    /// Forgets the oldest message of the room that is found, until none is.
    fn free(&self, find: impl Fn(&Uses) -> Option<Weak<dyn MakeRoom>>) {
        loop {
            let found = find(&self.uses.lock());
            // A log that ends takes its messages out itself.
            let Some(log) = found.and_then(|log| log.upgrade()) else {
                return;
            };
            log.make_room();
        }
    }
}
