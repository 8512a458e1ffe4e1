//! The kinds of frames, and what they carry: one type a kind, named as in the protocol. JSON by serde, Protobuf
//! (`chat.proto`) by prost.

mod codes;
#[macro_use]
mod kinds;
mod limits;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::codes::Named;
pub use self::codes::{ErrorCode, Level, PresenceEvent, State};
pub use self::limits::{MAX_KEY, MAX_NAME, MAX_SEARCH, is_name};
use crate::frame::Kind;

/// What a frame of one kind carries.
pub trait Payload: prost::Message + Default + Serialize + DeserializeOwned {
    /// The kind.
    const KIND: Kind;

    /// Checks what the types cannot say, such as a number that is none of an enumeration's.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Does something for the payload of a kind that is known when the program runs.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// The kind is that of `P`.
    fn visit<P: Payload>(self) -> Self::Output;
}

kinds! {
    /// "I am here", both ways, without a payload.
    HEARTBEAT = 0x01 "heartbeat";
    /// An order changed its status.
    ORDER_UPDATE = 0x02 "order_update" carries OrderUpdate and says "An order changed.";
    /// A user is online, away or busy.
    USER_STATE = 0x03 "user_state" carries UserState checked by check_state and says "A user's state changed.";
    /// An announcement to every connection.
    ALERT = 0x04 "alert" carries Alert checked by check_level and says "An announcement.";
    /// The client's first frame.
    HELLO = 0x10 "hello" carries Hello;
    /// The server's answer to it.
    WELCOME = 0x11 "welcome" carries Welcome;
    /// Asks for membership in a room.
    JOIN = 0x12 "join" carries Join;
    /// Grants it.
    JOINED = 0x13 "joined" carries Joined and says "The client is a member now.";
    /// Gives membership up.
    LEAVE = 0x14 "leave" carries Leave;
    /// A text for a room, from a client.
    PUBLISH = 0x15 "publish" carries Publish checked by check_key;
    /// The same text as the members get it.
    MESSAGE = 0x16 "message" carries Message
        and says "Someone said something, perhaps this client; or it was said before, and history was asked for.";
    /// Tells the publisher which number its text got.
    ACK = 0x17 "ack" carries Ack and says "A text of this client has its number.";
    /// Why a frame was refused.
    ERROR = 0x18 "error" carries Error and says "A frame of this client was refused.";
    /// Somebody came to a room, or went.
    PRESENCE = 0x19 "presence" carries Presence and says "Somebody came to a room, or went.";
    /// Asks for what was said in a room.
    HISTORY = 0x1A "history" carries History;
    /// Asks who is in a room, and the answer.
    MEMBERS = 0x1B "members" carries Members and says "Who is in a room.";
    /// Notice before the server ends the connection.
    BYE = 0x1C "bye" carries Bye and says "The server will end the connection.";
    /// Asks for messages that contain a text, and the answer.
    SEARCH = 0x1D "search" carries Search checked by check_text and says "Messages that contain a text.";
    /// A user writes something.
    TYPING = 0x1E "typing" carries Typing and says "A user writes something.";
    /// Makes its handler panic, where debug commands are on.
    PANIC = 0x7F "panic";
}

/// The client's first frame.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Hello {
    /// What the others shall see; a guest's name is made up when it is absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Proof of identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "2")]
    pub token: Option<String>,
}

/// The answer to [`Hello`]: who the client is from now on, and what the server expects.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Welcome {
    /// Names this connection, unique among the nodes.
    #[prost(string, tag = "1")]
    pub session: String,
    /// The name that the client's messages will bear.
    #[prost(string, tag = "2")]
    pub user: String,
    /// The server that answers.
    #[prost(string, tag = "3")]
    pub node: String,
    /// How often a heartbeat should come.
    #[prost(uint64, tag = "4")]
    pub heartbeat_ms: u64,
    /// How long a silent connection is kept.
    #[prost(uint64, tag = "5")]
    pub idle_ms: u64,
    /// The longest payload that the server takes.
    #[prost(uint32, tag = "6")]
    pub max_payload: u32,
}

/// Asks for membership in a room.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Join {
    /// The room's name; the room is made when it does not exist.
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

/// Grants membership: each message with a higher number than `seq` will come.
///
/// It also comes unasked, to each member of a room that begins a new epoch.
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
    /// Names the numbering: numbers of two epochs cannot be compared.
    #[prost(string, tag = "5")]
    pub epoch: String,
}

/// Gives membership up; nothing answers.
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
    /// What to say.
    #[prost(string, tag = "2")]
    pub text: String,
    /// The client's own name for this text; an [`Ack`] answers when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub id: Option<String>,
    /// Idempotency key, of 1 to [`MAX_KEY`] bytes. A text repeated with its key by the same user is delivered once, and
    /// acknowledged with the number of the first, while the first is in the room's history.
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
    /// Counts from 1 in an epoch of a room, without gaps.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
    /// Who said it.
    #[prost(string, tag = "3")]
    pub user: String,
    /// What was said.
    #[prost(string, tag = "4")]
    pub text: String,
    /// When the server numbered it, in milliseconds since the epoch.
    #[prost(uint64, tag = "5")]
    pub ts: u64,
}

/// Tells the publisher that its text has a number.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Ack {
    /// As in [`Publish::id`].
    #[prost(string, tag = "1")]
    pub id: String,
    /// The room's name.
    #[prost(string, tag = "2")]
    pub room: String,
    /// The number that the message bears.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
}

/// Why a frame was refused.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Error {
    /// For programs.
    #[serde(with = "Named::<ErrorCode>")]
    #[prost(enumeration = "ErrorCode", tag = "1")]
    pub code: i32,
    /// For people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// As in [`Publish::id`], when the refused frame had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub id: Option<String>,
}

/// An order has a new status; goes to the members of a room.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// Which order.
    #[prost(string, tag = "1")]
    pub order: String,
    /// Its status.
    #[prost(string, tag = "2")]
    pub status: String,
    /// Whose members are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "3")]
    pub room: Option<String>,
}

impl OrderUpdate {
    /// The room that is meant when none is named.
    pub const DEFAULT_ROOM: &str = "orders";
}

/// A user's state; goes to the rooms that the user is in.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct UserState {
    /// The new state.
    #[serde(with = "Named::<State>")]
    #[prost(enumeration = "State", tag = "1")]
    pub state: i32,
    /// Whose state; set by the server.
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
    /// How bad it is.
    #[serde(with = "Named::<Level>")]
    #[prost(enumeration = "Level", tag = "1")]
    pub level: i32,
    /// What there is to know.
    #[prost(string, tag = "2")]
    pub text: String,
}

impl Alert {
    fn check_level(&self) -> Result<(), &'static str> {
        let known = Level::try_from(self.level);
        known.map(drop).map_err(|_| "no such level")
    }
}

/// Asks who is in a room; the answer has `users`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Members {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// The names, sorted, each once; absent in the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[prost(string, repeated, tag = "2")]
    pub users: Vec<String>,
}

/// Somebody came to a room, or went; told to the others in it.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Presence {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// Who.
    #[prost(string, tag = "2")]
    pub user: String,
    /// Which of the two.
    #[serde(with = "Named::<PresenceEvent>")]
    #[prost(enumeration = "PresenceEvent", tag = "3")]
    pub event: i32,
}

/// Asks for what was said; the messages come again, the oldest first.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct History {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// Only messages with lower numbers; the newest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint64, optional, tag = "2")]
    pub before: Option<u64>,
    /// How many at most; fewer may come.
    #[prost(uint32, tag = "3")]
    pub limit: u32,
}

/// Asks for messages that contain a text, in any case; the answer has `messages`. A connection's next search cancels it.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Search {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// What to search for, of 1 to [`MAX_SEARCH`] bytes.
    #[prost(string, tag = "2")]
    pub text: String,
    /// Only messages with lower numbers; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint64, optional, tag = "3")]
    pub before: Option<u64>,
    /// How many at most; fewer may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(uint32, optional, tag = "4")]
    pub limit: Option<u32>,
    /// The newest that were found, the oldest first; absent in the question.
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

/// A user writes something; goes to the other members of a room, unless they are behind.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Typing {
    /// The room's name.
    #[prost(string, tag = "1")]
    pub room: String,
    /// Who; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[prost(string, optional, tag = "2")]
    pub user: Option<String>,
}

/// Notice that the server is about to end the connection.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Bye {
    /// Why.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// How long to wait before the next attempt.
    #[prost(uint64, tag = "2")]
    pub reconnect_after_ms: u64,
}
