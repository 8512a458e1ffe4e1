//! The end of a connection.

use thiserror::Error;

/// Why the server ended a connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code} {reason}")]
pub struct Close {
    /// The close code; 1005 for a close without a code, 1006 for an end without a close.
    pub code: u16,
    /// The server's reason.
    pub reason: String,
}

impl Close {
    /// Returns an end without a close.
    pub(crate) fn missing() -> Self {
        Self {
            code: 1006,
            reason: String::new(),
        }
    }
}
