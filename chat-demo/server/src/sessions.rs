//! The sessions: which user is connected to which server, since when, and when the entry expires.
//! They have a store of their own, because a user may be connected to several servers.

mod memory;

use std::error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;
use thiserror::Error;
use tokio::time::Instant;

use crate::clock;

pub use self::memory::Memory;

/// A session: one connection, from its hello to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub user: Arc<str>,
    /// The server it is on.
    pub node: Arc<str>,
    /// Which connection it is, of all that servers of this name have had.
    pub id: u64,
    /// When the connection was opened, in milliseconds since the epoch.
    pub opened: u64,
    /// When the client was last active, as recorded.
    pub heard: u64,
}

impl Record {
    /// What the connection is called, unlike any other: also if two servers have the same name, or
    /// one was started again.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.node, self.id)
    }
}

/// The name of a connection. Its number begins with a part that is unique to this start of the
/// server.
pub(crate) fn name(node: &str, id: u64) -> String {
    let (life, number) = (id >> 32, id & u64::from(u32::MAX));
    format!("{node}-{life:08x}-{number}")
}

/// Where records are kept. A record that is not renewed for the store's time to live is forgotten:
/// its server is gone.
pub trait Store: Send + Sync {
    /// Puts the record down, unless its user has `most` already; says whether. No bound is 0.
    fn open(&self, record: Record, most: usize) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Renews a session, and restores it if it has expired.
    fn renew(&self, record: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        let opened = self.open(record, 0);
        Box::pin(async { opened.await.map(drop) })
    }

    /// Forgets the record, if it is there.
    fn close(&self, record: Record) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It does not answer.
    #[error("cannot reach the session store: {0}")]
    Unreachable(#[source] Box<dyn error::Error + Send + Sync>),
    /// It answers, and will not or cannot do it.
    #[error("session store refused the operation: {0}")]
    Refused(#[source] Box<dyn error::Error + Send + Sync>),
}

/// The session store for connections, which continue without it when it fails.
pub(crate) struct Sessions {
    store: Box<dyn Store>,
    node: Arc<str>,
    /// Sessions of one user at a time; no bound is 0.
    most: usize,
    /// A record that is younger needs no renewal.
    fresh: Duration,
    failures: Counter,
    /// Whether it failed the last time: that is said once.
    failing: AtomicBool,
}

impl Sessions {
    pub(crate) fn new(
        store: Box<dyn Store>,
        node: &str,
        most: usize,
        time_to_live: Duration,
        failures: Counter,
    ) -> Self {
        Self {
            store,
            node: node.into(),
            most,
            fresh: time_to_live / 3,
            failures,
            failing: AtomicBool::new(false),
        }
    }

    pub(crate) fn record(&self, user: Arc<str>, id: u64, opened: Instant) -> Record {
        let now = clock::now_ms();
        Record {
            user,
            node: self.node.clone(),
            id,
            opened: now.saturating_sub(clock::millis(opened.elapsed())),
            heard: now,
        }
    }

    /// Whether a record that was renewed then should be again.
    pub(crate) fn is_due(&self, renewed: Instant, now: Instant) -> bool {
        now.saturating_duration_since(renewed) >= self.fresh
    }

    /// Returns whether the user may have another session. If the store fails, the user may.
    pub(crate) async fn open(&self, record: Record) -> bool {
        let opened = self.store.open(record, self.most).await;
        self.note(opened).unwrap_or(true)
    }

    pub(crate) async fn renew(&self, record: Record) {
        let renewed = self.store.renew(record).await;
        self.note(renewed);
    }

    pub(crate) async fn close(&self, record: Record) {
        let closed = self.store.close(record).await;
        self.note(closed);
    }

    /// Closes a session without waiting. If that fails, the session expires.
    pub(crate) fn close_now(&self, record: Record) {
        let _ = self.close(record).now_or_never();
    }

    fn note<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        let failing = result.is_err();
        let failed = self.failing.swap(failing, Ordering::Relaxed);
        match result {
            Ok(done) => {
                if failed {
                    tracing::info!("session store works again");
                }
                Some(done)
            }
            Err(error) => {
                self.failures.inc();
                if !failed {
                    tracing::warn!(%error, "session store failed; connections continue without it");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    /// A store that never does anything.
    struct Broken;

    fn refuse<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(ready(Err(StoreError::Unreachable("no route".into()))))
    }

    impl Store for Broken {
        fn open(&self, _: Record, _: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
            refuse()
        }

        fn renew(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
            refuse()
        }

        fn close(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
            refuse()
        }
    }

    fn sessions(store: impl Store + 'static) -> (Sessions, Counter) {
        let failures = Counter::default();
        let time_to_live = Duration::from_secs(300);
        let sessions = Sessions::new(Box::new(store), "n", 1, time_to_live, failures.clone());
        (sessions, failures)
    }

    #[tokio::test]
    async fn a_failing_store_admits_users_and_is_counted() {
        let (sessions, failures) = sessions(Broken);
        let record = sessions.record("ann".into(), 1, Instant::now());
        assert!(sessions.open(record.clone()).await);
        sessions.renew(record.clone()).await;
        sessions.close(record.clone()).await;
        sessions.close_now(record);
        assert_eq!(failures.get(), 4);
    }

    #[tokio::test]
    async fn a_record_is_renewed_when_a_third_of_its_life_is_over() {
        let (sessions, _) = sessions(Broken);
        let renewed = Instant::now();
        let due = |seconds| sessions.is_due(renewed, renewed + Duration::from_secs(seconds));
        assert!(!due(99) && due(100));
    }

    #[tokio::test]
    async fn a_record_tells_when_a_connection_was_opened_and_heard() {
        let (sessions, failures) = sessions(Memory::new(Duration::from_secs(300)));
        let opened = Instant::now() - Duration::from_secs(7);
        let record = sessions.record("ann".into(), 1, opened);
        let age = record.heard - record.opened;
        assert!((7_000..60_000).contains(&age), "{age}");
        assert!(sessions.open(record.clone()).await);
        assert!(!sessions.open(Record { id: 2, ..record }).await);
        assert_eq!(failures.get(), 0);
    }
}
