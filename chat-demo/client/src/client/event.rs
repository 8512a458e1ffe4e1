//! What a server tells a client.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::error::{ClientError, Result};
use crate::{frame::Kind, payload};

/// What a server tells a client after the welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The client is a member now.
    Joined(payload::Joined),
    /// Someone said something, perhaps this client; or it was said before, and history was asked for.
    Message(payload::Message),
    /// A text of this client has its number.
    Ack(payload::Ack),
    /// A frame of this client was refused.
    Error(payload::Error),
    /// Somebody came to a room, or went.
    Presence(payload::Presence),
    /// Who is in a room.
    Members(payload::Members),
    /// An order changed.
    OrderUpdate(payload::OrderUpdate),
    /// A user's state changed.
    UserState(payload::UserState),
    /// An announcement.
    Alert(payload::Alert),
    /// The server will end the connection.
    Bye(payload::Bye),
    /// The server ended the connection; nothing follows.
    Closed {
        /// The close code, or 1005 for none.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// A frame of a type that this client does not know.
    Unknown(Kind),
}

impl Event {
    /// What a frame of a kind tells.
    pub(super) fn read(kind: Kind, payload: &[u8]) -> Result<Self> {
        Ok(match kind {
            Kind::JOINED => Self::Joined(read(kind, payload)?),
            Kind::MESSAGE => Self::Message(read(kind, payload)?),
            Kind::ACK => Self::Ack(read(kind, payload)?),
            Kind::ERROR => Self::Error(read(kind, payload)?),
            Kind::PRESENCE => Self::Presence(read(kind, payload)?),
            Kind::MEMBERS => Self::Members(read(kind, payload)?),
            Kind::ORDER_UPDATE => Self::OrderUpdate(read(kind, payload)?),
            Kind::USER_STATE => Self::UserState(read(kind, payload)?),
            Kind::ALERT => Self::Alert(read(kind, payload)?),
            Kind::BYE => Self::Bye(read(kind, payload)?),
            kind => Self::Unknown(kind),
        })
    }
}

/// A WebSocket message, as far as a client cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The type of a frame, and its payload.
    Frame(Kind, Bytes),
    /// The server ends the connection.
    Close {
        /// The close code, or 1005 for none.
        code: u16,
        /// What the server said.
        reason: String,
    },
}

pub(super) fn read<P: DeserializeOwned>(kind: Kind, payload: &[u8]) -> Result<P> {
    serde_json::from_slice(payload).map_err(|source| ClientError::Payload { kind, source })
}
