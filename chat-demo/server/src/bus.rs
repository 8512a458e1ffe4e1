//! The bus: what servers have between them that share rooms. Without one a server is alone, numbers its messages itself
//! and tells nobody else.
//!
//! It numbers the messages of a room and keeps them, and announces them to every server that has the room. An
//! announcement may be late, come twice or be lost; the numbers show it, and what was missed is read.

mod redis;

use std::sync::{Arc, Weak};

use chat_demo_client::payload::{ErrorCode, Message, Presence};
use chat_demo_client::wire::Parcel;
use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::connection::Connection;
use crate::epoch::{Epoch, Position};
use crate::error::Refusal;

pub(crate) use self::redis::Redis;

/// See the module's documentation.
pub(crate) trait Bus: Send + Sync {
    /// From now on the ear hears what is said in the room, or to everybody, and catches up first. Until what this returns
    /// is dropped.
    fn watch(&self, room: Option<&str>, ear: Weak<dyn Ear>) -> Watch;

    /// The ear has missed something: has it catch up again.
    fn catch_up(&self, ear: Arc<dyn Ear>);

    /// Numbers, keeps and announces a message once there is space for it, unless a message with the same `key` exists. Calls
    /// `then` in the order of the numbers.
    fn append(
        &self,
        message: Message,
        key: Option<String>,
        then: Then,
    ) -> BoxFuture<'_, Result<(), Away>>;

    /// What was said in a room after a message, or lately, the oldest first; not necessarily all of it.
    fn read<'a>(&'a self, room: &'a str, after: Option<u64>) -> BoxFuture<'a, Result<Page, Away>>;

    /// Begins a new epoch of a room in the place of `epoch`, unless another server has done so.
    fn fork<'a>(&'a self, room: &'a str, epoch: Epoch) -> BoxFuture<'a, Result<(), Away>>;

    /// Announces a frame without a number to the servers that have the room, or to all, this one included.
    fn announce<'a>(
        &'a self,
        room: Option<&'a str>,
        frame: &'a Parcel,
    ) -> BoxFuture<'a, Result<(), Away>>;

    /// Puts a member down; how many there are now, on all servers.
    fn enter<'a>(
        &'a self,
        room: &'a Arc<str>,
        member: &'a Connection,
    ) -> BoxFuture<'a, Result<u32, Away>>;

    /// Puts the members on this server down again, where others may have been lost; how many there are now, on all
    /// servers.
    fn restore_members<'a>(&'a self, room: &'a Arc<str>) -> BoxFuture<'a, Result<u32, Away>>;

    /// Forgets a member by its number. Waits for nobody.
    fn leave(&self, room: &Arc<str>, member: u64);

    /// Who is in a room, on all servers; nothing if there are more than `most`.
    fn users<'a>(
        &'a self,
        room: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, Away>>;

    /// Whether the bus answers, as far as is known.
    fn is_up(&self) -> bool;

    /// Whether a room whose bus is away goes on by itself.
    fn goes_on_alone(&self) -> bool;
}

/// Told that a message has its number and is kept, or why not. Called where others wait: it is short.
pub(crate) type Then = Box<dyn FnOnce(Result<u64, AppendError>) + Send>;

/// What listens to the bus.
pub(crate) trait Ear: Send + Sync {
    /// Something was announced. Returns when it is in line.
    fn hear(self: Arc<Self>, heard: Heard) -> BoxFuture<'static, ()>;

    /// What is announced from now on is heard; what was before has to be read. Returns when it has been.
    fn catch_up(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Nothing is heard for now.
    fn cut_off(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// What is announced.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Message(Announced),
    /// Where the room stands.
    Stand(Position),
    Presence(Presence),
    /// A frame for clients.
    Frame(Parcel),
}

/// A message that has its number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Announced {
    pub(crate) epoch: Epoch,
    /// The mark of the message before it, if there is one.
    pub(crate) before: Option<Mark>,
    pub(crate) message: Message,
}

/// Tells two messages apart that have the same number, when a bus has lost the first.
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

/// Messages of a room as the bus keeps them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// The epoch of their numbers; none if the bus cannot begin one for a room without messages.
    pub(crate) epoch: Option<Epoch>,
    /// The number of the newest message, here or not.
    pub(crate) newest: u64,
    /// The mark of the newest message.
    pub(crate) tip: Option<Mark>,
    /// The mark of the message after which was read, if that is kept.
    pub(crate) before: Option<Mark>,
    /// Without gaps, the oldest first.
    pub(crate) messages: Vec<Message>,
}

/// Keeps an ear on the bus until dropped.
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

/// The bus does not answer. What it was asked to do may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this server is cut off from the others: try again later")]
pub(crate) struct Away;

/// Why a message has no number, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum AppendError {
    /// It is not kept.
    #[error(transparent)]
    Away(#[from] Away),
    /// The bus did not answer in time: it may be kept, or be kept later.
    #[error("the store did not answer: the text may have been kept; repeat it with its key")]
    Uncertain,
}

impl From<Away> for Refusal {
    fn from(away: Away) -> Self {
        Self::new(ErrorCode::Overloaded, away.to_string())
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Away(away) => away.into(),
            AppendError::Uncertain => Self::new(ErrorCode::Uncertain, error.to_string()),
        }
    }
}
