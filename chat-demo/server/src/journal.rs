//! Messages on disk: written to a file before they are delivered, so that acknowledged messages
//! survive a crash. One thread writes; messages that arrive during a write share the next one.

mod failure;
mod order;
mod store;
mod writer;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chat_demo_client::payload::Message;
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, Sender};

use crate::clock;
use crate::epoch::Position;
use crate::journal::failure::contain;
use crate::journal::order::{Entry, Order};
use crate::journal::store::{Draft, Opening, Store};
use crate::journal::writer::Writer;

pub use crate::journal::failure::DataError;
pub(crate) use crate::journal::order::{JournalError, Numbered};
pub(crate) use crate::journal::store::Kept;

/// Messages that may wait for the next write; more, and their publishers wait.
const WAITING: usize = 1024;

pub(crate) struct Journal {
    orders: Sender<Order>,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
    failing: Arc<AtomicBool>,
}

impl Journal {
    /// Opens the file, which is made if there is none; hands over what it holds, and keeps up to
    /// `limit` messages of a room.
    pub(crate) fn open(
        path: &Path,
        limit: usize,
        each: impl FnMut(Kept),
    ) -> Result<Self, DataError> {
        let store = contain(|| {
            let store = Store::open(path, limit, Opening::Any)?;
            store.read(each)?;
            Ok(store)
        })?;
        let (orders, received) = mpsc::channel(WAITING);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(path.to_owned(), limit, store, failing.clone());
        let thread = thread::Builder::new().name("chat-journal".to_owned());
        let ended = failing.clone();
        let run = move || {
            let run = AssertUnwindSafe(|| writer.run(received));
            if panic::catch_unwind(run).is_err() {
                // What comes later is refused, and not in silence.
                ended.store(true, Ordering::Relaxed);
                tracing::error!(
                    "cannot write messages to the data file: the writer thread panicked; restart the server"
                );
            }
        };
        let thread = thread.spawn(run)?;
        Ok(Self {
            orders,
            writer: Mutex::new(Some(thread)),
            failing,
        })
    }

    /// Enqueues a message, once there is space. `then` is called on the writer's thread, in the
    /// order of the numbers.
    ///
    /// `known` is where the room stands in memory: a file that has less of the same epoch begins
    /// another.
    pub(crate) async fn append(
        &self,
        message: Message,
        key: Option<String>,
        known: Position,
        then: impl FnOnce(Result<Numbered, JournalError>) + Send + 'static,
    ) -> Result<(), JournalError> {
        let entry = Order::Append(Entry {
            draft: Draft::new(message, key, known),
            then: Box::new(then),
        });
        let sent = self.orders.send(entry).await;
        sent.map_err(|_| JournalError::NotKept)
    }

    /// Removes messages of that age, and rooms for which `forget_room` returns true, given whether
    /// the room was silent for that long. It removes an unused room from memory as well.
    pub(crate) async fn forget(
        &self,
        messages: Duration,
        rooms: Duration,
        forget_room: impl Fn(&str, bool) -> bool + Send + 'static,
    ) {
        let before = |age| clock::now_ms().saturating_sub(clock::millis(age));
        let (messages, rooms) = (before(messages), before(rooms));
        let work = move |store: &Store| Ok(store.forget(messages, rooms, forget_room)?);
        // Closed: the server ends.
        let _ = self.orders.send(Order::Work(Box::new(work))).await;
    }

    /// Checks the file soon, to notice its removal in a quiet server as well.
    pub(crate) fn check(&self) {
        let check = Order::Work(Box::new(|_| Ok(())));
        // Full: it is looked for with the next write.
        let _ = self.orders.try_send(check);
    }

    /// Whether messages cannot be kept, as far as is known.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Writes what is in line and closes the file. Blocks.
    pub(crate) fn close(&self) {
        let Some(writer) = self.writer.lock().take() else {
            return;
        };
        // Ignore errors: a closed channel means that the thread has ended.
        let _ = self.orders.blocking_send(Order::Close);
        let _ = writer.join();
    }
}
