//! The limits of an outbox.

use std::time::Duration;

use chat_demo_client::frame::MAX_PAYLOAD;
use chat_demo_client::wire;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
    /// How long a client may be behind before a full outbox evicts it, and how long publishers wait
    /// for it.
    pub(crate) patience: Duration,
}

impl Limits {
    /// The longest text that fits in every encoding.
    pub(crate) fn longest_text(&self) -> usize {
        self.bytes.min(MAX_PAYLOAD).saturating_sub(wire::ADDED)
    }

    /// Returns whether so much fills so many quarters of either. Without a division, because each
    /// delivery asks.
    pub(super) fn are_filled(&self, quarters: usize, frames: usize, bytes: usize) -> bool {
        4 * frames >= quarters * self.frames || 4 * bytes >= quarters * self.bytes
    }
}
