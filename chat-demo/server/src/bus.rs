//! The bus between servers that share rooms. Without a bus, a server numbers its own messages.
//!
//! The bus numbers the messages of a room, stores them, and announces them to every server that has
//! the room. Announcements may arrive late, twice or never. The numbers show it, and the server
//! reads what it missed.

mod redis;

use std::future::ready;
use std::sync::{Arc, Weak};

use chat_demo_client::payload::{ErrorCode, Message, Presence};
use chat_demo_client::wire::Parcel;
use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::connection::Connection;
use crate::epoch::{Epoch, Position};
use crate::error::Refusal;

pub(crate) use self::redis::Redis;

/// The result of an operation of a bus.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, BusUnavailable>>;

pub(crate) trait Bus: Send + Sync {
    /// Subscribes a listener to a room, or to announcements for all. It catches up first. Dropping
    /// the returned value unsubscribes.
    fn watch(&self, room: Option<&str>, listener: Weak<dyn BusListener>) -> Watch;

    /// Makes a listener that missed something catch up again.
    fn catch_up(&self, listener: Arc<dyn BusListener>);

    /// Makes a listener catch up again after `wait`. Other listeners do not wait meanwhile.
    fn catch_up_after(&self, wait: BoxFuture<'static, ()>, listener: Arc<dyn BusListener>);

    /// Numbers, stores and announces a message, unless a message with the same `key` exists. Waits
    /// for space in the queue. Calls `then` in the order of the numbers.
    fn append(&self, message: Message, key: Option<String>, then: Then) -> Answer<'_, ()>;

    /// Reads messages of a room after a number, or the newest; the oldest first, perhaps not all.
    fn read<'a>(&'a self, room: &'a str, after: Option<u64>) -> Answer<'a, Page>;

    /// Reads the newest messages of a room, the oldest first. Begins no room.
    fn recent<'a>(&'a self, room: &'a str) -> Answer<'a, Vec<Message>>;

    /// Replaces `epoch` of a room by a new one, unless another server has done so.
    fn fork<'a>(&'a self, room: &'a str, epoch: Epoch) -> Answer<'a, ()>;

    /// Announces a frame without a number to the servers that have the room, or to all, this one
    /// included.
    fn announce<'a>(&'a self, room: Option<&'a str>, frame: &'a Parcel) -> Answer<'a, ()>;

    /// Registers a member. Returns the number of members on all servers.
    fn enter<'a>(&'a self, room: &'a Arc<str>, member: &'a Connection) -> Answer<'a, u32>;

    /// Registers the members on this server again, after the bus lost them. Returns the number of
    /// members on all servers.
    fn restore_members<'a>(&'a self, room: &'a Arc<str>) -> Answer<'a, u32>;

    /// Removes a member by its number, without waiting.
    fn leave(&self, room: &Arc<str>, member: u64);

    /// Returns the users in a room on all servers; `None` if there are more than `most`.
    fn users<'a>(&'a self, room: &'a str, most: usize) -> Answer<'a, Option<Vec<String>>>;

    /// Returns whether the last operation succeeded.
    fn is_up(&self) -> bool;

    /// Returns whether a room works locally while the bus is unavailable.
    fn goes_on_alone(&self) -> bool;
}

/// Called with the number of a stored message, or the error. It must not block: other tasks wait.
pub(crate) type Then = Box<dyn FnOnce(Result<u64, AppendError>) + Send>;

pub(crate) trait BusListener: Send + Sync {
    /// Handles an announcement. Returns when it is enqueued.
    fn on_event(self: Arc<Self>, event: BusEvent) -> BoxFuture<'static, ()>;

    /// Reads what was announced before the subscription, if that is stored. Returns when all is
    /// read.
    fn catch_up(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// Called when the connection to the bus is lost.
    fn cut_off(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BusEvent {
    Message(Announced),
    /// The current epoch and number of the room.
    Stand(Position),
    Presence(Presence),
    /// A frame for clients.
    Frame(Parcel),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Announced {
    pub(crate) epoch: Epoch,
    /// The mark of the message before it, if there is one.
    pub(crate) before: Option<Mark>,
    pub(crate) message: Message,
}

/// Distinguishes two messages with one number, if the bus lost the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) u32);

impl Mark {
    pub(crate) fn of(message: &Message) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(message.user.as_bytes());
        hasher.update(&message.ts.to_be_bytes());
        hasher.update(message.text.as_bytes());
        Self(hasher.finalize())
    }
}

/// Messages of a room as read from the bus.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// The epoch of their numbers; none if the bus cannot begin one for a room without messages.
    pub(crate) epoch: Option<Epoch>,
    /// The number of the newest message, on this page or not.
    pub(crate) newest: u64,
    pub(crate) tip: Option<Mark>,
    /// The mark of the message before the page, if it is stored.
    pub(crate) before: Option<Mark>,
    /// Without gaps, the oldest first.
    pub(crate) messages: Vec<Message>,
}

/// A subscription; dropping it unsubscribes.
pub(crate) struct Watch(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Watch {
    pub(crate) fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// The bus does not answer. The operation may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no connection to the servers' common store; retry later")]
pub(crate) struct BusUnavailable;

/// Why a message has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum AppendError {
    /// The message was not stored.
    #[error(transparent)]
    BusUnavailable(#[from] BusUnavailable),
    /// The bus did not answer in time: the message may have been stored.
    #[error("the store did not answer: the text may have been kept; repeat it with its key")]
    Uncertain,
}

impl From<BusUnavailable> for Refusal {
    fn from(error: BusUnavailable) -> Self {
        Self::new(ErrorCode::Overloaded, error.to_string())
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::BusUnavailable(error) => error.into(),
            AppendError::Uncertain => Self::new(ErrorCode::Uncertain, error.to_string()),
        }
    }
}
