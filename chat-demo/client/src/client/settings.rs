//! How a reconnecting client goes about it.

use std::time::Duration;

/// How a [`Reconnecting`](super::Reconnecting) client goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The wait before the first attempt to come back is random up to this; each failure doubles the bound.
    pub first_wait: Duration,
    /// The bound is never more than this. A connection that lasted for so long makes the waits short again.
    pub longest_wait: Duration,
    /// How many frames may wait to be sent, or texts to be answered;
    /// [`ClientError::Full`](super::ClientError::Full) refuses more.
    pub max_unsent: usize,
    /// How many messages of a room may wait while those before them are asked for; more, and what is missing is lost.
    pub max_held: usize,
}

/// Half a second and half a minute; a thousand frames, ten thousand messages.
impl Default for Settings {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            max_unsent: 1_000,
            max_held: 10_000,
        }
    }
}
