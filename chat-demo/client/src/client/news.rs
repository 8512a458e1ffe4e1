//! The events of a reconnecting client.

use std::time::Duration;

use super::{error::ClientError, event::Event};
use crate::payload;

/// An event of a [`Reconnecting`](super::Reconnecting) client.
#[derive(Debug)]
#[non_exhaustive]
pub enum News {
    /// The first connection got its welcome.
    Connected(payload::Welcome),
    /// The connection is lost; the client will reconnect.
    Disconnected {
        /// Why it ended.
        reason: ClientError,
        /// How long the client waits before it tries again.
        retry_in: Duration,
    },
    /// An attempt to connect failed; the client will try again.
    NotConnected {
        /// Why it failed.
        reason: ClientError,
        /// How long the client waits before it tries again.
        retry_in: Duration,
    },
    /// The client has reconnected. It joins its rooms again, and missed messages follow.
    Reconnected(payload::Welcome),
    /// The client joined a room for the first time.
    Joined(payload::Joined),
    /// A message, perhaps of this client. Each message of a room arrives once, in the order of the
    /// numbers.
    Message(payload::Message),
    /// The recovery of a room is complete: all missed messages, or their loss, precede this event.
    Recovered {
        /// The room's name.
        room: String,
        /// How many missed messages were recovered.
        messages: u64,
    },
    /// The server has deleted these messages. Reported in the place of the messages.
    Lost {
        /// The room's name.
        room: String,
        /// The number of the first.
        from: u64,
        /// The number of the last.
        to: u64,
    },
    /// A room began a new epoch: its numbers cannot be compared with earlier ones. Messages of the
    /// old epoch may be missing. The messages of the new epoch follow, perhaps with repetitions.
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
        /// The messages, the oldest first; perhaps fewer than requested.
        messages: Vec<payload::Message>,
    },
    /// A text of this client was numbered.
    Acked {
        /// The id from [`publish`](super::Reconnecting::publish).
        id: u64,
        /// The room's name.
        room: String,
        /// The number of the message.
        seq: u64,
    },
    /// A text of this client was refused and is not delivered.
    Refused {
        /// The id from [`publish`](super::Reconnecting::publish).
        id: u64,
        /// The reason.
        error: payload::Error,
    },
    /// A text of this client had no answer, and its repetition was refused. The first attempt may
    /// have been delivered; the client does not send the text again.
    Unsure {
        /// The id from [`publish`](super::Reconnecting::publish).
        id: u64,
    },
    /// Any other event.
    Other(Event),
    /// A frame that cannot be read. The connection continues.
    Unreadable(ClientError),
}
