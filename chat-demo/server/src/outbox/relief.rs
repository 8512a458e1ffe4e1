//! The fill level of an outbox, and publishers that wait for it to fall.

use tokio::time::{Instant, timeout_at};

use super::Outbox;
use super::limits::Limits;

impl Outbox {
    /// Returns whether at least half is filled, and the client has patience left.
    pub(crate) fn is_waited_for(&self) -> bool {
        let state = self.state.lock();
        let since = state.behind_since.filter(|_| !state.sealed);
        since.is_some_and(|since| since.elapsed() < self.limits.patience)
    }

    /// Returns whether so much is queued that the client should read before it asks for more.
    pub(crate) fn is_congested(&self) -> bool {
        self.is_filled(3)
    }

    fn is_filled(&self, quarters: usize) -> bool {
        let state = self.state.lock();
        let (frames, bytes) = (state.frames.len(), state.bytes);
        self.limits.are_filled(quarters, frames, bytes)
    }

    /// How much a page for this client may hold: as much as leaves half of the outbox to what
    /// others say meanwhile.
    pub(crate) fn page(&self) -> (usize, usize) {
        let Limits { frames, bytes, .. } = self.limits;
        (frames.div_ceil(2), bytes / 2)
    }

    /// Returns whether an empty outbox takes a frame of that length.
    pub(crate) fn takes(&self, len: usize) -> bool {
        len <= self.limits.bytes
    }

    /// Waits until less than half is filled, the outbox has ended, or the client has been behind
    /// for its patience.
    pub(crate) async fn relieved(&self) {
        while let Some((relief, since)) = self.relief() {
            let relieved = timeout_at(since + self.limits.patience, relief).await;
            if relieved.is_err() {
                return;
            }
        }
    }

    /// Waits until less than half is filled, or the outbox has ended.
    pub(crate) async fn drained(&self) {
        while let Some((relief, _)) = self.relief() {
            relief.await;
        }
    }

    /// Resolves at the next relief; nothing if the client is not behind.
    fn relief(&self) -> Option<(impl Future<Output = ()> + use<>, Instant)> {
        let mut state = self.state.lock();
        let since = state.behind_since.filter(|_| !state.sealed)?;
        let relief = state.relief.get_or_insert_default().clone();
        // Made under the lock, or a relief in between is missed.
        Some((relief.notified_owned(), since))
    }
}
