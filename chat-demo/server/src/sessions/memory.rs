//! The session store of a single server, in memory.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{Record, Store, StoreError};
use crate::clock;

/// When each session was last active, by user.
pub struct Memory {
    records: Mutex<BTreeMap<Key, u64>>,
    /// In milliseconds.
    time_to_live: u64,
}

/// User, server, connection.
type Key = (Arc<str>, Arc<str>, u64);

impl Memory {
    /// Creates an empty store; sessions expire after `time_to_live` without renewal.
    #[must_use]
    pub fn new(time_to_live: Duration) -> Self {
        Self {
            records: Mutex::default(),
            time_to_live: clock::millis(time_to_live),
        }
    }
}

fn key(record: &Record) -> Key {
    (record.user.clone(), record.node.clone(), record.id)
}

impl Store for Memory {
    fn open(&self, record: Record, most: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        let key = key(&record);
        let mut records = self.records.lock();
        if most > 0 {
            let user = &key.0;
            let from = (user.clone(), Arc::default(), 0);
            let of_user = || {
                records
                    .range(from.clone()..)
                    .take_while(|((whose, ..), _)| whose == user)
            };
            let old: Vec<_> = of_user()
                .filter(|(_, heard)| heard.saturating_add(self.time_to_live) < record.heard)
                .map(|(key, _)| key.clone())
                .collect();
            let there = of_user().count() - old.len();
            for key in old {
                records.remove(&key);
            }
            if there >= most {
                return Box::pin(ready(Ok(false)));
            }
        }
        records.insert(key, record.heard);
        Box::pin(ready(Ok(true)))
    }

    fn close(&self, record: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        self.records.lock().remove(&key(&record));
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u64 = 300_000;

    fn store() -> Memory {
        Memory::new(Duration::from_millis(LIFE))
    }

    fn record(user: &str, id: u64, heard: u64) -> Record {
        Record {
            user: user.into(),
            node: "n".into(),
            id,
            opened: 0,
            heard,
        }
    }

    #[tokio::test]
    async fn sessions_of_a_user_are_bounded() {
        let store = store();
        for id in 0..3 {
            let opened = store.open(record("bob", id, 0), 2).await;
            assert_eq!(opened.ok(), Some(id < 2));
        }
        for neighbour in ["bo", "bob2", ""] {
            assert_eq!(
                store.open(record(neighbour, 9, 0), 1).await.ok(),
                Some(true)
            );
        }
        assert!(store.close(record("bob", 0, 0)).await.is_ok());
        assert_eq!(store.open(record("bob", 3, 0), 2).await.ok(), Some(true));
        assert_eq!(store.open(record("bob", 4, 0), 2).await.ok(), Some(false));
    }

    #[tokio::test]
    async fn sessions_of_other_servers_count_too() {
        let store = store();
        let mut elsewhere = record("bob", 1, 0);
        elsewhere.node = "m".into();
        assert_eq!(store.open(elsewhere, 1).await.ok(), Some(true));
        assert_eq!(store.open(record("bob", 1, 0), 1).await.ok(), Some(false));
    }

    #[tokio::test]
    async fn without_a_bound_all_are_taken() {
        let store = store();
        for id in 0..100 {
            assert_eq!(store.open(record("bob", id, 0), 0).await.ok(), Some(true));
        }
        assert_eq!(store.records.lock().len(), 100);
    }

    #[tokio::test]
    async fn sessions_expire_without_renewal() {
        let store = store();
        for id in [1, 2] {
            assert_eq!(store.open(record("bob", id, 0), 2).await.ok(), Some(true));
        }
        assert!(store.renew(record("bob", 2, LIFE)).await.is_ok());
        assert_eq!(
            store.open(record("bob", 3, LIFE), 2).await.ok(),
            Some(false)
        );
        assert_eq!(
            store.open(record("bob", 3, LIFE + 1), 2).await.ok(),
            Some(true)
        );
        let ids: Vec<_> = store.records.lock().keys().map(|(.., id)| *id).collect();
        assert_eq!(ids, [2, 3]);
    }

    #[tokio::test]
    async fn renewal_updates_the_time_and_restores_a_lost_session() {
        let store = store();
        assert!(store.renew(record("bob", 1, 5)).await.is_ok());
        assert!(store.renew(record("bob", 1, 8)).await.is_ok());
        let records = store.records.lock();
        assert_eq!(records.values().collect::<Vec<_>>(), [&8]);
    }
}
