//! What a reconnecting client tells.

use std::time::Duration;

use super::{error::ClientError, event::Event};
use crate::payload;

/// What a [`Reconnecting`](super::Reconnecting) client tells its program.
#[derive(Debug)]
#[non_exhaustive]
pub enum News {
    /// The first connection has been welcomed.
    Connected(payload::Welcome),
    /// The connection is lost; the client waits and comes back.
    Disconnected {
        /// Why it ended.
        reason: ClientError,
        /// How long the client waits before it tries again.
        retry_in: Duration,
    },
    /// An attempt to connect failed; the client waits and tries again.
    NotConnected {
        /// Why it failed.
        reason: ClientError,
        /// How long the client waits before it tries again.
        retry_in: Duration,
    },
    /// There is a connection again. The rooms are joined again; what was missed in them comes next.
    Reconnected(payload::Welcome),
    /// The client is a member of a room, for the first time since it asked.
    Joined(payload::Joined),
    /// Somebody said something, perhaps this client. Each message of a room comes once, in the order of the numbers.
    Message(payload::Message),
    /// All that was said in a room while the client was away has been told: the messages before this, and what was lost.
    Recovered {
        /// The room's name.
        room: String,
        /// How many messages were told of those that were said meanwhile.
        messages: u64,
    },
    /// These messages will never come: the server has them no more. Told where they would have been.
    Lost {
        /// The room's name.
        room: String,
        /// The number of the first.
        from: u64,
        /// The number of the last.
        to: u64,
    },
    /// A room has begun a new epoch: its numbers cannot be compared with those before. How much of the old epoch was missed
    /// cannot be known. What the room has in the new one comes next, perhaps with messages that were told before.
    Renumbered {
        /// The room's name.
        room: String,
        /// The number of the newest message in the new epoch.
        seq: u64,
        /// The new epoch.
        epoch: String,
    },
    /// Messages that [`history`](super::Reconnecting::history) asked for.
    History {
        /// The room's name.
        room: String,
        /// The oldest first; fewer than asked for where the server has no more, or cannot send so many at once.
        messages: Vec<payload::Message>,
    },
    /// A text of this client has its number.
    Acked {
        /// What [`publish`](super::Reconnecting::publish) returned.
        id: u64,
        /// The room's name.
        room: String,
        /// The number that the message bears.
        seq: u64,
    },
    /// A text of this client was refused: nobody will see it.
    Refused {
        /// What [`publish`](super::Reconnecting::publish) returned.
        id: u64,
        /// Why.
        error: payload::Error,
    },
    /// A text of this client was sent without an answer, and its repetition was refused. The first attempt may have been
    /// delivered; the text is not sent again.
    Unsure {
        /// What [`publish`](super::Reconnecting::publish) returned.
        id: u64,
    },
    /// Whatever else the server said.
    Other(Event),
    /// A frame that cannot be read, and what is wrong with it. The connection goes on.
    Unreadable(ClientError),
}
