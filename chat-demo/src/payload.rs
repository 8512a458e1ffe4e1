//! What the frames carry: one type a kind, named as in the protocol, in JSON.

use serde::{Deserialize, Serialize};

/// The longest name of a room or a user, in bytes.
pub const MAX_NAME: usize = 64;

/// Whether a room or a user may be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

/// The client's first frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What the others shall see; a guest's name is made up when it is absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Proof of identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The answer to [`Hello`]: who the client is from now on, and what the server expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Names this connection, unique among the nodes.
    pub session: String,
    /// The name that the client's messages will bear.
    pub user: String,
    /// The server that answers.
    pub node: String,
    /// How often a heartbeat should come.
    pub heartbeat_ms: u64,
    /// How long a silent connection is kept.
    pub idle_ms: u64,
    /// The longest payload that the server takes.
    pub max_payload: usize,
}

/// Asks for membership in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The room's name; the room is made when it does not exist.
    pub room: String,
    /// The last sequence number that the client saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Grants membership: each message with a higher number than `seq` will come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The room's name.
    pub room: String,
    /// The newest sequence number; 0 when nothing was published yet.
    pub seq: u64,
    /// How many members the room has, this one included.
    pub members: usize,
    /// Whether all after [`Join::after`] was sent again.
    pub recovered: bool,
}

/// Gives membership up; nothing answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The room's name.
    pub room: String,
}

/// A text for the members of a room, from one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The room's name.
    pub room: String,
    /// What to say.
    pub text: String,
    /// The client's own name for this text; an [`Ack`] answers when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A published text, as each member gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The room's name.
    pub room: String,
    /// Counts from 1 in a room, without gaps.
    pub seq: u64,
    /// Who said it.
    pub user: String,
    /// What was said.
    pub text: String,
    /// When the server numbered it, in milliseconds since the epoch.
    pub ts: u64,
}

/// Tells the publisher that its text has a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// As in [`Publish::id`].
    pub id: String,
    /// The room's name.
    pub room: String,
    /// The number that the message bears.
    pub seq: u64,
}

/// Why a frame was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// As in [`Publish::id`], when the refused frame had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The reasons of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Magic, length or checksum is wrong; the connection is closed.
    BadFrame,
    /// The payload is over the limit; the connection is closed.
    TooLarge,
    /// Nobody handles this type.
    UnknownType,
    /// The payload is not what its type asks for.
    BadPayload,
    /// A [`Hello`] has to come first.
    NotAuthenticated,
    /// This user may not.
    Forbidden,
    /// There is no such room.
    UnknownRoom,
    /// A [`Join`] has to come first.
    NotMember,
    /// Too many in too short a time.
    RateLimited,
    /// The server cannot take it now.
    Overloaded,
}

/// An order has a new status; goes to the members of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// Which order.
    pub order: String,
    /// Its status.
    pub status: String,
    /// Whose members are told.
    #[serde(default = "OrderUpdate::default_room")]
    pub room: String,
}

impl OrderUpdate {
    /// The room that is meant when none is named.
    #[must_use]
    pub fn default_room() -> String {
        "orders".to_owned()
    }
}

/// A user's state; goes to the rooms that the user is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// The new state.
    pub state: State,
    /// Whose state; set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The states of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Reads and answers.
    Online,
    /// Is connected, but not there.
    Away,
    /// Is there, and wants no disturbance.
    Busy,
}

/// An announcement to every connection, from an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// How bad it is.
    pub level: Level,
    /// What there is to know.
    pub text: String,
}

/// The levels of an [`Alert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something may fail.
    Warning,
    /// Something has failed.
    Critical,
}

/// Asks who is in a room; the answer has `users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The room's name.
    pub room: String,
    /// The names, sorted, each once; absent in the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
}

/// Somebody came to a room, or went; told to the others in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The room's name.
    pub room: String,
    /// Who.
    pub user: String,
    /// Which of the two.
    pub event: PresenceEvent,
}

/// What a [`Presence`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceEvent {
    /// The user's first connection is in the room.
    Joined,
    /// The user's last connection is not any more.
    Left,
}

/// Asks for what was said; the messages come again, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The room's name.
    pub room: String,
    /// Only messages with lower numbers; the newest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// How many at most; fewer may come.
    pub limit: usize,
}

/// Notice that the server is about to end the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// Why.
    pub reason: String,
    /// How long to wait before the next attempt.
    pub reconnect_after_ms: u64,
}
