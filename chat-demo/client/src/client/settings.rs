//! Settings of a reconnecting client.

use std::time::Duration;

use fastrand::Rng;

use crate::backoff::Backoff;

/// Settings of a [`Reconnecting`](super::Reconnecting) client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first wait before reconnecting, or repeating a refused join, is random up to this bound;
    /// each failure doubles the bound.
    pub first_wait: Duration,
    /// The largest bound. A connection that lasted this long resets it.
    pub longest_wait: Duration,
    /// The most frames that wait to be sent, or texts that wait for an answer;
    /// [`ClientError::Full`](super::ClientError::Full) refuses more.
    pub max_unsent: usize,
    /// The most messages of a room that wait while earlier ones are fetched; beyond it, the gap is
    /// reported as lost.
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

impl Settings {
    /// Creates the waits between attempts.
    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.first_wait, self.longest_wait, Rng::new())
    }
}
