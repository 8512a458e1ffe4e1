//! The thread that owns the data file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::failure::{DataError, contain};
use super::order::{Entry, JournalError, Order};
use super::store::{Opening, Store};

/// Messages of one write.
const BATCH: usize = 512;

pub(super) struct Writer {
    path: PathBuf,
    limit: usize,
    /// Gone after a failure, until the file can be opened again.
    store: Option<Store>,
    failing: Arc<AtomicBool>,
    /// Newest numbers, by room, before a write of which is not known whether it was done.
    doubtful: BTreeMap<String, u64>,
    /// Before this the file is not opened again: a large one takes its time.
    not_before: Instant,
}

impl Writer {
    pub(super) fn new(path: PathBuf, limit: usize, store: Store, failing: Arc<AtomicBool>) -> Self {
        Self {
            path,
            limit,
            store: Some(store),
            failing,
            doubtful: BTreeMap::new(),
            not_before: Instant::now(),
        }
    }

    pub(super) fn run(mut self, mut orders: Receiver<Order>) {
        let mut batch = Vec::new();
        while let Some(order) = orders.blocking_recv() {
            let mut next = Some(order);
            while let Some(order) = next.take() {
                match order {
                    Order::Append(entry) => {
                        batch.push(entry);
                        if batch.len() < BATCH {
                            next = orders.try_recv().ok();
                        }
                    }
                    Order::Work(work) => {
                        self.write(&mut batch);
                        self.attempt(work);
                    }
                    Order::Close => {
                        self.write(&mut batch);
                        return;
                    }
                }
            }
            self.write(&mut batch);
        }
    }

    fn write(&mut self, batch: &mut Vec<Entry>) {
        if batch.is_empty() {
            return;
        }
        // Once the database writes, an error does not say what is in the file.
        let begun = Cell::new(false);
        let drafts = batch.iter_mut().map(|entry| &mut entry.draft);
        let kept = self.attempt(|store| Ok(store.append(drafts, || begun.set(true))?));
        let batch = mem::take(batch);
        if !kept && begun.get() {
            for Entry { draft, .. } in batch.iter().filter(|entry| !entry.draft.is_repetition) {
                let before = draft.message.seq.saturating_sub(1);
                let known = self.doubtful.entry(draft.message.room.clone());
                known
                    .and_modify(|known| *known = before.min(*known))
                    .or_insert(before);
            }
        }
        for Entry { draft, then } in batch {
            then(match (kept, begun.get()) {
                (true, _) => Ok(draft.into()),
                (false, true) => Err(JournalError::Uncertain),
                (false, false) => Err(JournalError::NotKept),
            });
        }
    }

    /// Runs an operation on the file, reopened if the last attempt failed. Returns whether it
    /// succeeded and the file is still at its path.
    fn attempt(&mut self, work: impl FnOnce(&Store) -> Result<(), DataError>) -> bool {
        let store = match self.store.take() {
            Some(store) => store,
            None if Instant::now() < self.not_before => return false,
            None => match self.reopen() {
                Ok(store) => store,
                Err(error) => {
                    self.fail(&error);
                    return false;
                }
            },
        };
        let done = contain(|| work(&store)).and_then(|()| store.check_place(&self.path));
        if let Err(error) = done {
            // It may panic, too.
            let _ = contain(move || {
                drop(store);
                Ok(())
            });
            self.fail(&error);
            return false;
        }
        self.store = Some(store);
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(path = %self.path.display(), "writing messages to the data file again");
        }
        true
    }

    /// Opens the file again. A new one is not made: what was acknowledged would be lost in silence.
    fn reopen(&mut self) -> Result<Store, DataError> {
        let begin = Instant::now();
        let opened = contain(|| {
            let store = Store::open(&self.path, self.limit, Opening::Existing)?;
            // No client has seen these messages.
            store.roll_back(&self.doubtful)?;
            Ok(store)
        });
        if opened.is_ok() {
            self.doubtful.clear();
        }
        self.not_before = Instant::now() + begin.elapsed().min(Duration::from_secs(1));
        opened
    }

    /// Logs a failure once, until writing works again.
    fn fail(&self, error: &DataError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(path = %self.path.display(), %error, "cannot write messages to the data file");
        }
    }
}
