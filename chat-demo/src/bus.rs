//! The bus: what servers have between them that share rooms. Without one a server is alone, numbers its messages itself
//! and tells nobody else.
//!
//! It numbers the messages of a room and keeps them, and announces them to every server that has the room. An
//! announcement may be late, come twice or be lost; the numbers show it, and what was missed is read.

mod redis;

use std::pin::Pin;
use std::sync::{Arc, Weak};

use thiserror::Error;

use crate::connection::Connection;
use crate::payload::{Alert, Message, OrderUpdate, Presence, UserState};

pub(crate) use self::redis::Redis;

/// See the module's documentation.
pub(crate) trait Bus: Send + Sync {
    /// From now on the ear hears what is said in the room, or to everybody, and catches up first. Until what this returns
    /// is dropped.
    fn watch(&self, room: Option<&str>, ear: Weak<dyn Ear>) -> Watch;

    /// The ear has missed something: has it catch up again.
    fn catch_up(&self, ear: Arc<dyn Ear>);

    /// Has a message numbered, kept and announced, once there is space for it. `then` is called in the order of the
    /// numbers.
    fn append(&self, message: Message, then: Then) -> Doing<'_, Result<(), Away>>;

    /// What was said in a room after a message, or lately, the oldest first; not necessarily all of it.
    fn read<'a>(&'a self, room: &'a str, after: Option<u64>) -> Doing<'a, Result<Page, Away>>;

    /// Announces what has no number to the servers that have the room, or to all, this one included.
    fn announce<'a>(&'a self, room: Option<&'a str>, heard: Heard) -> Doing<'a, Result<(), Away>>;

    /// Puts a member down; how many there are now, on all servers.
    fn enter<'a>(
        &'a self,
        room: &'a Arc<str>,
        member: &'a Connection,
    ) -> Doing<'a, Result<u32, Away>>;

    /// Forgets a member by its number. Waits for nobody.
    fn leave(&self, room: &Arc<str>, member: u64);

    /// Who is in a room, on all servers; nothing if there are more than `most`.
    fn users<'a>(
        &'a self,
        room: &'a str,
        most: usize,
    ) -> Doing<'a, Result<Option<Vec<String>>, Away>>;

    /// Whether the bus answers, as far as is known.
    fn is_up(&self) -> bool;

    /// Whether a room whose bus is away goes on by itself.
    fn goes_on_alone(&self) -> bool;
}

/// An operation of the bus.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whom to tell that a message has its number and is kept, or that nobody knows. Called where others wait: it is short.
pub(crate) type Then = Box<dyn FnOnce(Result<u64, Away>) + Send>;

/// What listens to the bus.
pub(crate) trait Ear: Send + Sync {
    /// Something was announced. Returns when it is in line.
    fn hear(self: Arc<Self>, heard: Heard) -> Doing<'static, ()>;

    /// What is announced from now on is heard; what was before has to be read. Returns when it has been.
    fn catch_up(self: Arc<Self>) -> Doing<'static, ()>;

    /// Nothing is heard for now.
    fn cut_off(self: Arc<Self>) -> Doing<'static, ()>;
}

/// What is announced.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Message(Message),
    Order(OrderUpdate),
    State(UserState),
    Presence(Presence),
    Alert(Alert),
}

impl From<OrderUpdate> for Heard {
    fn from(update: OrderUpdate) -> Self {
        Self::Order(update)
    }
}

impl From<UserState> for Heard {
    fn from(state: UserState) -> Self {
        Self::State(state)
    }
}

/// Messages of a room as the bus keeps them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// Which life of the room they are of: numbers of another life mean nothing in this one.
    pub(crate) life: u64,
    /// The number of the newest message, here or not.
    pub(crate) newest: u64,
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
