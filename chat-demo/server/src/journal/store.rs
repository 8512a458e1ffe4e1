//! The file behind a journal: the messages of each room, their numbers and their idempotency keys.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chat_demo_client::payload::Message;
use prost::Message as _;
use redb::backends::FileBackend;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition,
    WriteTransaction,
};

use super::failure::DataError;
use crate::epoch::{Epoch, Position};

/// Messages by room and number: each a [`Message`] and a [`Keyed`] in one.
const MESSAGES: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("messages");
/// The number of a room's newest message, and when that was, in milliseconds since 1970.
const ROOMS: TableDefinition<'_, &str, (u64, u64)> = TableDefinition::new("rooms");
const EPOCHS: TableDefinition<'_, &str, u64> = TableDefinition::new("epochs");
/// Numbers of the messages that have an idempotency key, by room and key.
const KEYS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("keys");
/// What of the file is held in memory at most: histories are there already.
const CACHE: usize = 8 << 20;

pub(super) struct Store {
    database: Database,
    /// How many messages of a room are kept.
    limit: u64,
    /// Which file it is, wherever that is now.
    identity: (u64, u64),
}

/// Which files are opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A new one is made if there is none.
    Any,
    /// A file that was used before.
    Existing,
}

/// What a room had when the file was read.
pub(crate) struct Kept {
    pub(crate) room: String,
    /// Where its newest message stands, kept or not.
    pub(crate) newest: Position,
    /// The newest messages, the oldest first, without gaps.
    pub(crate) messages: Vec<Message>,
}

/// A message that is to be kept, and what became of it.
pub(super) struct Draft {
    /// Numbered by [`Store::append`].
    pub(super) message: Message,
    /// Its idempotency key, with the user's name in it.
    pub(super) key: Option<String>,
    /// Where the room stands in memory, at least.
    pub(super) known: Position,
    /// The epoch of the message's number, once it has one.
    pub(super) epoch: Epoch,
    /// Whether the key was known: then the number is that of the first message, and the message is
    /// not kept.
    pub(super) is_repetition: bool,
}

impl Draft {
    pub(super) fn new(message: Message, key: Option<String>, known: Position) -> Self {
        Self {
            message,
            key,
            known,
            epoch: known.epoch,
            is_repetition: false,
        }
    }
}

/// The part of a kept message that clients do not get. Its field is none of [`Message`], so the
/// bytes of both together are read as either.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Keyed {
    #[prost(string, optional, tag = "15")]
    key: Option<String>,
}

type Result<T, E = redb::Error> = std::result::Result<T, E>;

impl Store {
    /// Opens a file, and checks all of it: a damaged one would be found out when a message is read
    /// or written.
    pub(super) fn open(path: &Path, limit: usize, opening: Opening) -> Result<Self, DataError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(opening == Opening::Any)
            .truncate(false)
            .open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() == 0 && opening == Opening::Existing {
            return Err(DataError::Removed);
        }
        let database = Database::builder()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create_with_backend(FileBackend::new(file)?)?;
        let change = begin(&database)?;
        {
            // Each table is there from the start, so that readers need not ask.
            let mut tables = Tables::open(&change)?;
            // A file of an older version has no epochs.
            for room in tables.rooms.iter()? {
                let (name, _) = room?;
                if tables.epochs.get(name.value())?.is_none() {
                    let epoch = Epoch::new().to_bits();
                    tables.epochs.insert(name.value(), epoch)?;
                }
            }
        }
        change.commit()?;
        Ok(Self {
            database,
            limit: limit as u64,
            identity: identity(&metadata),
        })
    }

    /// Fails if the file is not the one at `path` any more: what is written to it would be lost.
    pub(super) fn check_place(&self, path: &Path) -> Result<(), DataError> {
        let there = fs::metadata(path).ok();
        let own = there.filter(|there| identity(there) == self.identity);
        own.map(drop).ok_or(DataError::Removed)
    }

    /// Numbers messages and keeps them: all of them, once this returns, or none. After `on_write`
    /// was called, an error does not say which.
    pub(super) fn append<'a>(
        &self,
        batch: impl Iterator<Item = &'a mut Draft>,
        on_write: impl FnOnce(),
    ) -> Result<()> {
        let change = begin(&self.database)?;
        {
            let mut tables = Tables::open(&change)?;
            for draft in batch {
                tables.append(draft, self.limit)?;
            }
        }
        on_write();
        Ok(change.commit()?)
    }

    /// Removes the messages behind these numbers, by room.
    pub(super) fn roll_back(&self, newest: &BTreeMap<String, u64>) -> Result<()> {
        if newest.is_empty() {
            return Ok(());
        }
        let change = begin(&self.database)?;
        {
            let mut tables = Tables::open(&change)?;
            for (room, &newest) in newest {
                let room = room.as_str();
                let Some((last, at)) = tables.rooms.get(room)?.map(|known| known.value()) else {
                    continue;
                };
                for seq in newest + 1..=last {
                    tables.remove(room, seq)?;
                }
                if newest == 0 {
                    tables.remove_room(room)?;
                } else if newest < last {
                    tables.rooms.insert(room, (newest, at))?;
                }
            }
        }
        Ok(change.commit()?)
    }

    /// Forgets messages from before a time and those beyond the limit. Forgets a room that was
    /// silent since another time, if `forget_room` agrees.
    pub(super) fn forget(
        &self,
        messages_before: u64,
        rooms_before: u64,
        forget_room: impl Fn(&str, bool) -> bool,
    ) -> Result<()> {
        let change = begin(&self.database)?;
        let mut forgotten = 0;
        {
            let mut tables = Tables::open(&change)?;
            let mut rooms = Vec::new();
            for room in tables.rooms.iter()? {
                let (name, newest) = room?;
                rooms.push((name.value().to_owned(), newest.value()));
            }
            for (name, (newest, at)) in rooms {
                let is_forgotten = forget_room(&name, at < rooms_before);
                let beyond = if is_forgotten {
                    newest
                } else {
                    newest.saturating_sub(self.limit)
                };
                let old = oldest(&tables.messages, &name, beyond, messages_before)?;
                forgotten += old.len();
                for seq in old {
                    tables.remove(&name, seq)?;
                }
                if is_forgotten {
                    tables.remove_room(&name)?;
                    forgotten += 1;
                }
            }
        }
        if forgotten == 0 {
            return Ok(change.abort()?);
        }
        Ok(change.commit()?)
    }

    /// All that is kept, a room at a time.
    pub(super) fn read(&self, mut each: impl FnMut(Kept)) -> Result<()> {
        let view = self.database.begin_read()?;
        let messages = view.open_table(MESSAGES)?;
        let epochs = view.open_table(EPOCHS)?;
        for room in view.open_table(ROOMS)?.iter()? {
            let (name, newest) = room?;
            let (room, seq) = (name.value(), newest.value().0);
            let epoch = epochs.get(room)?.map(|epoch| epoch.value());
            let epoch = epoch.map_or_else(Epoch::new, Epoch::from_bits);
            let mut kept = Vec::new();
            for message in messages.range((room, 0)..=(room, seq))? {
                let (_, bytes) = message?;
                kept.push(decode(bytes.value())?);
            }
            each(Kept {
                room: room.to_owned(),
                newest: Position { epoch, seq },
                messages: kept,
            });
        }
        Ok(())
    }
}

/// Begins a change that is kept whole once it is committed. With a single phase, a file that is
/// damaged after a crash would lose the last change in silence.
fn begin(database: &Database) -> Result<WriteTransaction> {
    let mut change = database.begin_write()?;
    change.set_two_phase_commit(true);
    Ok(change)
}

/// The tables during a change.
struct Tables<'a> {
    rooms: Table<'a, &'static str, (u64, u64)>,
    epochs: Table<'a, &'static str, u64>,
    messages: Table<'a, (&'static str, u64), &'static [u8]>,
    keys: Table<'a, (&'static str, &'static str), u64>,
}

impl<'a> Tables<'a> {
    fn open(change: &'a WriteTransaction) -> Result<Self> {
        Ok(Self {
            rooms: change.open_table(ROOMS)?,
            epochs: change.open_table(EPOCHS)?,
            messages: change.open_table(MESSAGES)?,
            keys: change.open_table(KEYS)?,
        })
    }

    fn append(&mut self, draft: &mut Draft, limit: u64) -> Result<()> {
        let room = draft.message.room.clone();
        let room = room.as_str();
        let newest = self.rooms.get(room)?.map(|newest| newest.value().0);
        let epoch = self.epochs.get(room)?.map(|epoch| epoch.value());
        let stored = newest.zip(epoch.map(Epoch::from_bits));
        let seq = newest.unwrap_or(0);
        draft.epoch = match stored {
            // An older file stands in the place of this one: its numbers are given a second time.
            Some((seq, epoch)) if epoch == draft.known.epoch && seq < draft.known.seq => {
                Epoch::new()
            }
            Some((_, epoch)) => epoch,
            None if draft.known.seq == 0 => draft.known.epoch,
            None => Epoch::new(),
        };
        if stored.is_none_or(|(_, epoch)| epoch != draft.epoch) {
            self.epochs.insert(room, draft.epoch.to_bits())?;
        }
        if let Some(key) = &draft.key
            && let Some(first) = self.keys.get((room, key.as_str()))?
        {
            draft.message.seq = first.value();
            draft.is_repetition = true;
            return Ok(());
        }
        let Draft { message, key, .. } = draft;
        message.seq = seq + 1;
        self.rooms.insert(room, (message.seq, message.ts))?;
        let mut bytes = message.encode_to_vec();
        if let Some(key) = key.clone() {
            self.keys.insert((room, key.as_str()), message.seq)?;
            bytes.extend(Keyed { key: Some(key) }.encode_to_vec());
        }
        self.messages
            .insert((room, message.seq), bytes.as_slice())?;
        if let Some(oldest) = message.seq.checked_sub(limit) {
            self.remove(room, oldest)?;
        }
        Ok(())
    }

    /// Removes a message, if it is there, and its key.
    fn remove(&mut self, room: &str, seq: u64) -> Result<()> {
        let Some(bytes) = self.messages.remove((room, seq))? else {
            return Ok(());
        };
        let keyed = Keyed::decode(bytes.value()).map_err(|error| corrupted(&error))?;
        if let Some(key) = keyed.key {
            self.keys.remove((room, key.as_str()))?;
        }
        Ok(())
    }

    /// Removes what is known of a room besides its messages.
    fn remove_room(&mut self, room: &str) -> Result<()> {
        self.rooms.remove(room)?;
        self.epochs.remove(room)?;
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The numbers of a room's messages up to one, and of those from before a time. Times rise with the
/// numbers.
fn oldest(
    messages: &Table<'_, (&str, u64), &[u8]>,
    room: &str,
    beyond: u64,
    before: u64,
) -> Result<Vec<u64>> {
    let mut old = Vec::new();
    for message in messages.range((room, 0)..=(room, u64::MAX))? {
        let (key, bytes) = message?;
        let (_, seq) = key.value();
        if seq > beyond && decode(bytes.value())?.ts >= before {
            break;
        }
        old.push(seq);
    }
    Ok(old)
}

fn decode(bytes: &[u8]) -> Result<Message, StorageError> {
    Message::decode(bytes).map_err(|error| corrupted(&error))
}

fn corrupted(error: &prost::DecodeError) -> StorageError {
    StorageError::Corrupted(error.to_string())
}

#[cfg(test)]
mod tests;
