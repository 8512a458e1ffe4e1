//! Pages of history and lists of members: selected in order with the room's operations, and encoded
//! elsewhere, so that requests do not delay publishers.

use std::sync::Arc;

use anthill::RunError;
use bytes::Bytes;
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{self, ErrorCode, Payload};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;

use super::Room;
use super::prepared::{Prepared, translated_for};
use super::state::MAX_LISTED;
use crate::connection::Connection;
use crate::epoch::Position;
use crate::error::Refusal;

impl Room {
    /// Encodes the missed messages of a connection, to follow a `joined`.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        to: &Arc<Connection>,
        seen: Option<Position>,
    ) -> Result<Prepared, Refusal> {
        let Some(seen) = seen.filter(|_| to.outbox.subprotocol() != Subprotocol::Json) else {
            return Ok(Prepared::default());
        };
        let missed = self.log.after(seen).unwrap_or_default();
        if !to.outbox.takes(missed.iter().map(Bytes::len).sum()) {
            return Ok(Prepared::default());
        }
        let frames = self.translate(missed.clone(), to).await?;
        Ok(Prepared(missed.into_iter().zip(frames).collect()))
    }

    /// Encodes messages of the log for a connection, as a closure of low priority.
    async fn translate(
        &self,
        kept: Vec<Bytes>,
        to: &Arc<Connection>,
    ) -> Result<Vec<Bytes>, Refusal> {
        if to.outbox.subprotocol() == Subprotocol::Json || kept.is_empty() {
            return Ok(kept);
        }
        let outbox = to.outbox.clone();
        let translate = move || translated_for(&kept, &outbox);
        Ok(self.common.pages.run(translate).await?)
    }

    /// Sends again what was said before a message, or lately, once the client has read what it has.
    pub(crate) async fn look_back(
        self: &Arc<Self>,
        to: Arc<Connection>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(), Refusal> {
        to.outbox.drained().await;
        let (frames, bytes) = to.outbox.page();
        let limit = limit.min(frames);
        let kept = self.ask(move |state| state.log.before(before, limit));
        let kept = newest(kept.await.unwrap_or_default(), bytes);
        let mut frames = self.translate(kept, &to).await?;
        // As many as fit; the client asks for the rest when it has read these.
        to.outbox.drained().await;
        while !to.outbox.offer(frames.clone()) {
            frames.drain(..frames.len().div_ceil(2));
            to.outbox.drained().await;
        }
        let frames_out = &self.common.tally.frames_out;
        frames_out.inc_by(Kind::MESSAGE, frames.len());
        Ok(())
    }

    pub(crate) async fn list(self: &Arc<Self>, to: Arc<Connection>) -> Result<(), Refusal> {
        to.outbox.drained().await;
        let common = &self.common;
        if let Some(bus) = &common.bus {
            let users = bus.users(self.name(), MAX_LISTED).await;
            if users.is_ok() || !bus.goes_on_alone() {
                let users = users?.ok_or_else(too_many)?;
                return self.send_users(to, move || users).await;
            }
        }
        let Some(members) = self.ask(|state| state.connections()).await else {
            return Ok(());
        };
        let members = members.ok_or_else(too_many)?;
        let users = move || members.iter().map(|one| one.user().to_owned()).collect();
        self.send_users(to, users).await
    }

    async fn send_users(
        &self,
        to: Arc<Connection>,
        users: impl FnOnce() -> Vec<String> + Send + 'static,
    ) -> Result<(), Refusal> {
        let room = self.name().to_owned();
        let outbox = to.outbox.clone();
        let encode = move || {
            if outbox.is_sealed() {
                return None;
            }
            let mut users = users();
            users.sort_unstable();
            users.dedup();
            let members = payload::Members { room, users };
            Some(wire::message(&members, outbox.subprotocol()))
        };
        let common = &self.common;
        let Some(frame) = common.pages.run(encode).await? else {
            return Ok(());
        };
        if !to.outbox.takes(frame.len()) {
            return Err(too_many());
        }
        if to.outbox.push(frame).is_queued() {
            common.tally.frames_out.inc(payload::Members::KIND);
        }
        Ok(())
    }
}

/// The newest messages that have so many bytes together, and one in any case.
fn newest(mut kept: Vec<Bytes>, bytes: usize) -> Vec<Bytes> {
    let mut budget = bytes;
    let beyond = kept.iter().rposition(|frame| {
        let rest = budget.checked_sub(frame.len());
        budget = rest.unwrap_or_default();
        rest.is_none()
    });
    let from = beyond.map_or(0, |last| (last + 1).min(kept.len() - 1));
    kept.split_off(from)
}

/// Why those in a large room are not listed.
fn too_many() -> Refusal {
    let message = format!("more than {MAX_LISTED} members are not listed");
    Refusal::new(ErrorCode::Forbidden, message)
}

/// The pool for pages takes no more work, or the page was not encoded.
impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        Self::new(ErrorCode::Overloaded, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ends_where_its_bytes_do() {
        let frames: Vec<_> = [3, 2, 4, 1].map(|len| Bytes::from(vec![0; len])).into();
        for (bytes, count) in [(0, 1), (1, 1), (4, 1), (5, 2), (6, 2), (7, 3), (10, 4)] {
            assert_eq!(newest(frames.clone(), bytes).len(), count, "{bytes} bytes");
        }
        assert_eq!(newest(Vec::new(), 5), Vec::<Bytes>::new());
    }
}
