//! The events that a client receives.

use bytes::Bytes;

use super::error::{ClientError, Result};
use crate::frame::Kind;
pub use crate::payload::{Close, Event};

/// A received frame or close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The kind and the payload of a frame.
    Frame(Kind, Bytes),
    /// The server closes the connection.
    Close(Close),
}

/// Decodes the event in a frame.
pub(super) fn read_event(kind: Kind, payload: &[u8]) -> Result<Event> {
    Event::read(kind, payload).map_err(|source| ClientError::Payload { kind, source })
}
