//! Messages on disk: numbered and kept in a file before anybody hears of them, so that what was acknowledged is there
//! after a crash. One thread writes; what arrives while it does goes into the next write together.

mod store;

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::clock;
use crate::journal::store::Store;
use crate::payload::Message;

pub(crate) use crate::journal::store::Kept;

/// Messages that may wait for the next write; more, and their publishers wait.
const WAITING: usize = 1024;
/// Messages of one write.
const BATCH: usize = 512;

/// See the module's documentation.
pub(crate) struct Journal {
    orders: Sender<Order>,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
    failing: Arc<AtomicBool>,
}

enum Order {
    Append(Entry),
    Forget { messages: Duration, rooms: Duration },
    Close,
}

struct Entry {
    message: Message,
    then: Then,
}

/// Whom to tell that a message has its number and is kept, or that it is not.
type Then = Box<dyn FnOnce(Result<Message, Unkept>) + Send>;

/// A message that could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("messages cannot be kept: say it again later")]
pub(crate) struct Unkept;

impl Journal {
    /// Opens the file, which is made if there is none; hands over what it holds, and keeps up to `limit` messages of a room.
    pub(crate) fn open(
        path: &Path,
        limit: usize,
        each: impl FnMut(Kept),
    ) -> Result<Self, redb::Error> {
        let store = Store::open(path, limit)?;
        store.read(each)?;
        let (orders, received) = mpsc::channel(WAITING);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            path: path.to_owned(),
            limit,
            store: Some(store),
            failing: failing.clone(),
        };
        let thread = thread::Builder::new().name("chat-journal".to_owned());
        let thread = thread.spawn(move || writer.run(received))?;
        Ok(Self {
            orders,
            writer: Mutex::new(Some(thread)),
            failing,
        })
    }

    /// Puts a message in line, once there is space; `then` is called on the writer's thread, in the order of the numbers.
    pub(crate) async fn append(
        &self,
        message: Message,
        then: impl FnOnce(Result<Message, Unkept>) + Send + 'static,
    ) -> Result<(), Unkept> {
        let then = Box::new(then);
        let entry = Order::Append(Entry { message, then });
        self.orders.send(entry).await.map_err(|_| Unkept)
    }

    /// Forgets messages of that age, and rooms that were silent for so long.
    pub(crate) async fn forget(&self, messages: Duration, rooms: Duration) {
        // Closed: there is nobody left to forget.
        let _ = self.orders.send(Order::Forget { messages, rooms }).await;
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Writes what is in line and closes the file. Blocks.
    pub(crate) fn close(&self) {
        let Some(writer) = self.writer.lock().take() else {
            return;
        };
        // Its end is what is waited for, in whatever way it came.
        let _ = self.orders.blocking_send(Order::Close);
        let _ = writer.join();
    }
}

/// The one thread that has the file.
struct Writer {
    path: PathBuf,
    limit: usize,
    /// Gone after a failure, until the file can be opened again.
    store: Option<Store>,
    failing: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, mut orders: Receiver<Order>) {
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
                    Order::Forget { messages, rooms } => {
                        self.write(&mut batch);
                        let before = |age| clock::now_ms().saturating_sub(clock::millis(age));
                        self.attempt(|store| store.forget(before(messages), before(rooms)));
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
        let messages = batch.iter_mut().map(|entry| &mut entry.message);
        let kept = self.attempt(|store| store.append(messages));
        for Entry { message, then } in mem::take(batch) {
            then(if kept { Ok(message) } else { Err(Unkept) });
        }
    }

    /// Does something with the file, opened anew if the last attempt failed. Says whether it was done.
    fn attempt(&mut self, work: impl FnOnce(&Store) -> Result<(), redb::Error>) -> bool {
        let store = match self.store.take() {
            Some(store) => Ok(store),
            None => Store::open(&self.path, self.limit),
        };
        let done = store.and_then(|store| work(&store).map(|()| store));
        let failed = done.is_err();
        // Once, not for each message, for as long as it lasts.
        let failed_before = self.failing.swap(failed, Ordering::Relaxed);
        match done {
            Ok(store) => self.store = Some(store),
            Err(error) if !failed_before => {
                tracing::error!("cannot keep messages in {}: {error}", self.path.display());
            }
            Err(_) => {}
        }
        if failed_before && !failed {
            tracing::info!("messages are kept again in {}", self.path.display());
        }
        !failed
    }
}
