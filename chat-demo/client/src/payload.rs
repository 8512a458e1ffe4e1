//! The kinds of frames and their payloads: one type for each kind, named as in the protocol. serde
//! encodes JSON, and prost encodes Protobuf (`chat.proto`).

mod close;
mod codes;
mod error;
#[macro_use]
mod kinds;
mod limits;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::close::Close;
use self::codes::Named;
pub use self::codes::{ErrorCode, Level, PresenceEvent, State};
pub use self::error::Error;
pub use self::limits::{MAX_KEY, MAX_NAME, MAX_SEARCH, is_name};
use crate::frame::Kind;

/// The payload of a kind of frame.
pub trait Payload: prost::Message + Default + Serialize + DeserializeOwned {
    /// The kind.
    const KIND: Kind;

    /// Checks values that the types allow, such as a number that an enumeration lacks.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// A visitor for the payload type of a kind that is known at run time.
pub trait Visitor {
    /// The result.
    type Output;

    /// Visits the payload type of the kind.
    fn visit<P: Payload>(self) -> Self::Output;
}

kinds! {
    /// A sign of life in both directions, without a payload.
    HEARTBEAT = 0x01 "heartbeat";
    /// An order changed its status.
    ORDER_UPDATE = 0x02 "order_update" carries OrderUpdate and says "An order changed.";
    /// A user is online, away or busy.
    USER_STATE = 0x03 "user_state" carries UserState checked by check_state and says "A user's state changed.";
    /// An announcement to every connection.
    ALERT = 0x04 "alert" carries Alert checked by check_level and says "An announcement.";
    /// The client's first frame.
    HELLO = 0x10 "hello" carries Hello;
    /// The server's answer to a hello.
    WELCOME = 0x11 "welcome" carries Welcome;
    /// Joins a room.
    JOIN = 0x12 "join" carries Join;
    /// The server's answer to a join.
    JOINED = 0x13 "joined" carries Joined and says "The client is a member now.";
    /// Leaves a room.
    LEAVE = 0x14 "leave" carries Leave;
    /// A text for a room, from a client.
    PUBLISH = 0x15 "publish" carries Publish checked by check_key;
    /// A text as members get it.
    MESSAGE = 0x16 "message" carries Message
        and says "A text that was published now, perhaps by this client, or earlier.";
    /// The number of a published text, for its publisher.
    ACK = 0x17 "ack" carries Ack and says "A text of this client has its number.";
    /// Why a frame was refused.
    ERROR = 0x18 "error" carries Error and says "A frame of this client was refused.";
    /// A user joined or left a room.
    PRESENCE = 0x19 "presence" carries Presence and says "A user joined or left a room.";
    /// Requests earlier messages of a room.
    HISTORY = 0x1A "history" carries History;
    /// Requests the users in a room, and the answer.
    MEMBERS = 0x1B "members" carries Members and says "The users in a room.";
    /// Notice before the server ends the connection.
    BYE = 0x1C "bye" carries Bye and says "The server will end the connection.";
    /// Requests messages that contain a text, and the answer.
    SEARCH = 0x1D "search" carries Search checked by check_text and says "Messages that contain a text.";
    /// A user is typing.
    TYPING = 0x1E "typing" carries Typing and says "A user is typing.";
    /// Makes its handler panic, if debug commands are enabled.
    PANIC = 0x7F "panic";
}

/// The client's first frame.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Hello {
    /// The user's name; the server chooses a guest's name if it is absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// The token that proves the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "2")]
    pub token: Option<String>,
}

/// The answer to [`Hello`]: the client's identity, and the server's limits.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Welcome {
    /// The name of this connection, unique among all servers.
    #[prost(string, tag = "1")]
    pub session: String,
    /// The user's name in its messages.
    #[prost(string, tag = "2")]
    pub user: String,
    /// The name of the server.
    #[prost(string, tag = "3")]
    pub node: String,
    /// The interval of heartbeats.
    #[prost(uint64, tag = "4")]
    pub heartbeat_ms: u64,
    /// How long the server keeps a silent connection.
    #[prost(uint64, tag = "5")]
    pub idle_ms: u64,
    /// The server's payload limit.
    #[prost(uint32, tag = "6")]
    pub max_payload: u32,
}

/// Joins a room.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Join {
    /// The room's name; the server creates the room if needed.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The last sequence number that the client saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint64, optional, tag = "2")]
    pub after: Option<u64>,
    /// The epoch in which the client saw it, from [`Joined::epoch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub epoch: Option<String>,
}

/// The answer to [`Join`]: each message with a number above `seq` will follow.
///
/// The server also sends it to each member of a room that begins a new epoch.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Joined {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The newest sequence number; 0 when nothing was published yet.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
    /// How many members the room has, this one included.
    #[prost(uint32, tag = "3")]
    pub members: u32,
    /// Whether the epoch is [`Join::epoch`] and all messages after [`Join::after`] follow.
    #[prost(bool, tag = "4")]
    pub recovered: bool,
    /// The epoch of the numbers: numbers of two epochs cannot be compared.
    #[prost(string, tag = "5")]
    pub epoch: String,
}

/// Leaves a room; the server does not answer.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Leave {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
}

/// A text for the members of a room, from one of them.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Publish {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The text.
    #[prost(string, tag = "2")]
    pub text: String,
    /// The client's id of this text; with it, an [`Ack`] answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub id: Option<String>,
    /// Idempotency key, of 1 to [`MAX_KEY`] bytes. A text repeated with its key by the same user is
    /// delivered once, and acknowledged with the number of the first, while the first is in the
    /// room's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "4")]
    pub key: Option<String>,
}

impl Publish {
    fn check_key(&self) -> Result<(), &'static str> {
        match self.key.as_deref().map(str::len) {
            None | Some(1..=MAX_KEY) => Ok(()),
            Some(_) => Err("a key has 1 to 64 bytes"),
        }
    }
}

/// A published text, as each member gets it.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Message {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The number, from 1 in an epoch of a room, without gaps.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
    /// The user who published it.
    #[prost(string, tag = "3")]
    pub user: String,
    /// The text.
    #[prost(string, tag = "4")]
    pub text: String,
    /// When the server numbered it, in milliseconds since the epoch.
    #[prost(uint64, tag = "5")]
    pub ts: u64,
}

/// The answer to a [`Publish`] with an id: the number of the text.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Ack {
    /// The id from [`Publish::id`].
    #[prost(string, tag = "1")]
    pub id: String,
    /// The room's name.
    #[prost(string, tag = "2")]
    pub room: String,
    /// The number that the message bears.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
}

/// The new status of an order, for the members of a room.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The order.
    #[prost(string, tag = "1")]
    pub order: String,
    /// Its status.
    #[prost(string, tag = "2")]
    pub status: String,
    /// The room whose members get the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub room: Option<String>,
}

impl OrderUpdate {
    /// The room of an update that names none.
    pub const DEFAULT_ROOM: &str = "orders";
}

/// The state of a user, for the rooms that the user has joined.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct UserState {
    /// The new state.
    #[serde(with = "Named::<State>")]
    #[prost(enumeration = "State", tag = "1")]
    pub state: i32,
    /// The user; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "2")]
    pub user: Option<String>,
}

impl UserState {
    fn check_state(&self) -> Result<(), &'static str> {
        let known = State::try_from(self.state);
        known.map(drop).map_err(|_| "no such state")
    }
}

/// An announcement to every connection, from an admin.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Alert {
    /// The level.
    #[serde(with = "Named::<Level>")]
    #[prost(enumeration = "Level", tag = "1")]
    pub level: i32,
    /// The text.
    #[prost(string, tag = "2")]
    pub text: String,
}

impl Alert {
    fn check_level(&self) -> Result<(), &'static str> {
        let known = Level::try_from(self.level);
        known.map(drop).map_err(|_| "no such level")
    }
}

/// Requests the users in a room; the answer has `users`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Members {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The sorted names, each once; absent in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[prost(string, repeated, tag = "2")]
    pub users: Vec<String>,
}

/// A user joined or left a room; sent to its members.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Presence {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The user.
    #[prost(string, tag = "2")]
    pub user: String,
    /// Whether the user joined or left.
    #[serde(with = "Named::<PresenceEvent>")]
    #[prost(enumeration = "PresenceEvent", tag = "3")]
    pub event: i32,
}

/// Requests earlier messages; the server answers with messages, the oldest first.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct History {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// Only messages with lower numbers; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint64, optional, tag = "2")]
    pub before: Option<u64>,
    /// The most messages to send; fewer may follow.
    #[prost(uint32, tag = "3")]
    pub limit: u32,
}

/// Requests messages that contain a text, ignoring case; the answer has `messages`. The next search
/// of a connection cancels it.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Search {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The text to find, of 1 to [`MAX_SEARCH`] bytes.
    #[prost(string, tag = "2")]
    pub text: String,
    /// Only messages with lower numbers; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint64, optional, tag = "3")]
    pub before: Option<u64>,
    /// The most messages to send; fewer may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint32, optional, tag = "4")]
    pub limit: Option<u32>,
    /// The newest matches, the oldest first; absent in the request.
    #[serde(default)]
    #[prost(message, repeated, tag = "5")]
    pub messages: Vec<Message>,
}

impl Search {
    fn check_text(&self) -> Result<(), &'static str> {
        match self.text.len() {
            1..=MAX_SEARCH => Ok(()),
            _ => Err("a search has a text of 1 to 256 bytes"),
        }
    }
}

/// A user is typing; sent to the remaining members of a room, unless their outboxes are filling.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Typing {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The user; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "2")]
    pub user: Option<String>,
}

/// A notice that the server will end the connection.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Bye {
    /// The reason.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// How long to wait before the next attempt.
    #[prost(uint64, tag = "2")]
    pub reconnect_after_ms: u64,
}
