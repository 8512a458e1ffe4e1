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
use crate::epoch::{Epoch, Position};
use crate::journal::store::{Draft, Store};
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
    Forget {
        messages: Duration,
        rooms: Duration,
        forget_room: ForgetRoom,
    },
    Close,
}

struct Entry {
    draft: Draft,
    then: Then,
}

/// Told that a message has its number and is kept, or that it is not.
type Then = Box<dyn FnOnce(Result<Numbered, Unkept>) + Send>;
/// Asked whether a silent room may be forgotten. What is not in use is forgotten by the one who is asked, too.
type ForgetRoom = Box<dyn Fn(&str) -> bool + Send>;

/// A message that is kept.
pub(crate) enum Numbered {
    /// It has its number in an epoch, and is to be delivered.
    New(Message, Epoch),
    /// It was kept before, under this number.
    Before(u64),
}

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

    /// Enqueues a message, once there is space. `then` is called on the writer's thread, in the order of the numbers.
    ///
    /// `known` is where the room stands in memory: a file that has less of the same epoch begins another.
    pub(crate) async fn append(
        &self,
        message: Message,
        key: Option<String>,
        known: Position,
        then: impl FnOnce(Result<Numbered, Unkept>) + Send + 'static,
    ) -> Result<(), Unkept> {
        let entry = Order::Append(Entry {
            draft: Draft::new(message, key, known),
            then: Box::new(then),
        });
        self.orders.send(entry).await.map_err(|_| Unkept)
    }

    /// Forgets messages of that age, and rooms that were silent for so long if `forget_room` agrees.
    pub(crate) async fn forget(
        &self,
        messages: Duration,
        rooms: Duration,
        forget_room: impl Fn(&str) -> bool + Send + 'static,
    ) {
        let order = Order::Forget {
            messages,
            rooms,
            forget_room: Box::new(forget_room),
        };
        // Closed: the server ends.
        let _ = self.orders.send(order).await;
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

impl From<Draft> for Numbered {
    fn from(draft: Draft) -> Self {
        if draft.is_repetition {
            Self::Before(draft.message.seq)
        } else {
            Self::New(draft.message, draft.epoch)
        }
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
                    Order::Forget {
                        messages,
                        rooms,
                        forget_room,
                    } => {
                        self.write(&mut batch);
                        let before = |age| clock::now_ms().saturating_sub(clock::millis(age));
                        let (messages, rooms) = (before(messages), before(rooms));
                        self.attempt(|store| store.forget(messages, rooms, forget_room));
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
        let drafts = batch.iter_mut().map(|entry| &mut entry.draft);
        let kept = self.attempt(|store| store.append(drafts));
        for Entry { draft, then } in mem::take(batch) {
            then(if kept { Ok(draft.into()) } else { Err(Unkept) });
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
