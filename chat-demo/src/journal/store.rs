//! The file behind a journal: which messages rooms had, and which number was the last.

use std::path::Path;

use prost::Message as _;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition};

use crate::payload::Message;

/// Messages by room and number, in Protobuf.
const MESSAGES: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("messages");
/// The number of a room's newest message, and when that was, in milliseconds since the epoch.
const ROOMS: TableDefinition<'_, &str, (u64, u64)> = TableDefinition::new("rooms");
/// What of the file is held in memory at most: histories are there already.
const CACHE: usize = 8 << 20;

/// See the module's documentation.
pub(super) struct Store {
    database: Database,
    /// How many messages of a room are kept.
    limit: u64,
}

/// What a room had when the file was read.
pub(crate) struct Kept {
    pub(crate) room: String,
    /// The number of its newest message, kept or not.
    pub(crate) newest: u64,
    /// The newest messages, the oldest first, without gaps.
    pub(crate) messages: Vec<Message>,
}

type Result<T, E = redb::Error> = std::result::Result<T, E>;

impl Store {
    pub(super) fn open(path: &Path, limit: usize) -> Result<Self> {
        let database = Database::builder().set_cache_size(CACHE).create(path)?;
        // Both tables are there from the start: who reads need not ask.
        let change = database.begin_write()?;
        change.open_table(MESSAGES)?;
        change.open_table(ROOMS)?;
        change.commit()?;
        Ok(Self {
            database,
            limit: limit as u64,
        })
    }

    /// Numbers messages and keeps them: all of them, once this returns, or none.
    pub(super) fn append<'a>(&self, batch: impl Iterator<Item = &'a mut Message>) -> Result<()> {
        let change = self.database.begin_write()?;
        {
            let mut rooms = change.open_table(ROOMS)?;
            let mut messages = change.open_table(MESSAGES)?;
            for message in batch {
                let room = message.room.as_str();
                let newest = rooms.get(room)?.map_or(0, |newest| newest.value().0);
                message.seq = newest + 1;
                rooms.insert(room, (message.seq, message.ts))?;
                messages.insert((room, message.seq), message.encode_to_vec().as_slice())?;
                if let Some(oldest) = message.seq.checked_sub(self.limit) {
                    messages.remove((room, oldest))?;
                }
            }
        }
        Ok(change.commit()?)
    }

    /// Forgets messages from before a time and those beyond the limit, and rooms that were silent since another time.
    pub(super) fn forget(&self, messages_before: u64, rooms_before: u64) -> Result<()> {
        let change = self.database.begin_write()?;
        let mut forgotten = 0;
        {
            let mut messages = change.open_table(MESSAGES)?;
            let mut rooms = change.open_table(ROOMS)?;
            let mut silent = Vec::new();
            for room in rooms.iter()? {
                let (name, newest) = room?;
                let (newest, at) = newest.value();
                let beyond = newest.saturating_sub(self.limit);
                let old = oldest(&messages, name.value(), beyond, messages_before)?;
                forgotten += old.len();
                for seq in old {
                    messages.remove((name.value(), seq))?;
                }
                if at < rooms_before {
                    silent.push(name.value().to_owned());
                }
            }
            forgotten += silent.len();
            for room in silent {
                rooms.remove(room.as_str())?;
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
        for room in view.open_table(ROOMS)?.iter()? {
            let (name, newest) = room?;
            let (room, newest) = (name.value(), newest.value().0);
            let mut kept = Vec::new();
            for message in messages.range((room, 0)..=(room, newest))? {
                let (_, bytes) = message?;
                kept.push(decode(bytes.value())?);
            }
            each(Kept {
                room: room.to_owned(),
                newest,
                messages: kept,
            });
        }
        Ok(())
    }
}

/// The numbers of a room's messages up to one, and of those from before a time. Times rise with the numbers.
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
    Message::decode(bytes).map_err(|error| StorageError::Corrupted(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(room: &str, ts: u64) -> Message {
        Message {
            room: room.to_owned(),
            ts,
            ..Message::default()
        }
    }

    fn read(store: &Store) -> Vec<(String, u64, Vec<u64>)> {
        let mut all = Vec::new();
        let each = |kept: Kept| {
            let seqs = kept.messages.iter().map(|message| message.seq).collect();
            all.push((kept.room, kept.newest, seqs));
        };
        store.read(each).expect("it is whole");
        all
    }

    #[test]
    fn what_was_appended_is_there_when_the_file_is_opened_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let store = Store::open(&path, 10).expect("a new file");
        let mut batch = [message("tea", 1), message("milk", 2), message("tea", 3)];
        store.append(batch.iter_mut()).expect("there is space");
        assert_eq!(batch.map(|message| message.seq), [1, 1, 2]);
        drop(store);
        let store = Store::open(&path, 10).expect("it is there");
        let kept = [("milk".into(), 1, vec![1]), ("tea".into(), 2, vec![1, 2])];
        assert_eq!(read(&store), kept);
        let mut more = [message("tea", 4)];
        store.append(more.iter_mut()).expect("there is space");
        assert_eq!(more[0].seq, 3);
    }

    #[test]
    fn a_room_keeps_as_many_as_it_may_and_its_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let say = |store: &Store, count| {
            let mut batch = vec![message("tea", 5); count];
            store.append(batch.iter_mut()).expect("there is space");
        };
        let store = Store::open(&path, 3).expect("a new file");
        say(&store, 5);
        assert_eq!(read(&store), [("tea".into(), 5, vec![3, 4, 5])]);
        drop(store);
        let store = Store::open(&path, 1).expect("it is there");
        store.forget(0, 0).expect("there is space");
        assert_eq!(read(&store), [("tea".into(), 5, vec![5])]);
        drop(store);
        let store = Store::open(&path, 0).expect("it is there");
        say(&store, 1);
        store.forget(0, 0).expect("there is space");
        assert_eq!(read(&store), [("tea".into(), 6, vec![])]);
    }

    #[test]
    fn what_is_old_is_forgotten_and_rooms_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let store = Store::open(&path, 10).expect("a new file");
        let mut batch = [message("tea", 10), message("tea", 20), message("milk", 10)];
        store.append(batch.iter_mut()).expect("there is space");
        store.forget(20, 10).expect("there is space");
        let kept = [("milk".into(), 1, vec![]), ("tea".into(), 2, vec![2])];
        assert_eq!(read(&store), kept);
        store.forget(20, 11).expect("there is space");
        assert_eq!(read(&store), [("tea".into(), 2, vec![2])]);
    }

    #[test]
    fn a_file_is_opened_once_and_must_be_a_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let _store = Store::open(&path, 10).expect("a new file");
        let twice = Store::open(&path, 10).map(drop);
        assert!(matches!(twice, Err(redb::Error::DatabaseAlreadyOpen)));
        let other = folder.path().join("notes.txt");
        std::fs::write(&other, "milk, tea").expect("there is space");
        assert!(Store::open(&other, 10).is_err());
    }
}
