//! What a client receives.

use bytes::Bytes;

use super::error::{ClientError, Result};
use crate::frame::Kind;
pub use crate::payload::Event;

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

/// Reads the event in a frame.
pub(super) fn read_event(kind: Kind, payload: &[u8]) -> Result<Event> {
    Event::read(kind, payload).map_err(|source| ClientError::Payload { kind, source })
}
