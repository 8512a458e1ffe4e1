//! Pages of history and lists of members: chosen in line with the room's operations, encoded elsewhere, so that those who
//! ask hold up nobody who publishes. A connection that has ended costs nothing.

use std::sync::Arc;

use anthill::RunError;
use bytes::Bytes;
use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{self, ErrorCode, Message, Payload};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;

use super::Room;
use super::inside::Inside;
use super::state::MAX_LISTED;
use crate::connection::Connection;
use crate::epoch::Position;
use crate::error::Refusal;
use crate::outbox::Outbox;

/// How many bytes of messages are encoded in line with the room's operations: those said since the rest was prepared.
const IN_LINE: usize = 32 * 1024;

/// Messages of the log, each with its bytes for one subprotocol.
#[derive(Default)]
pub(super) struct Prepared(Vec<(Bytes, Bytes)>);

impl Prepared {
    /// Completes what was missed with what was said since it was prepared; nothing if that is too much, or if all of it
    /// exceeds an outbox.
    pub(super) fn complete(&self, missed: Vec<Bytes>, outbox: &Outbox) -> Option<Vec<Bytes>> {
        if outbox.subprotocol() == Subprotocol::Json {
            return Some(missed);
        }
        let mut budget = IN_LINE;
        let mut complete = Vec::with_capacity(missed.len());
        for (index, kept) in missed.iter().enumerate() {
            let prepared = self.0.get(index);
            // The same memory, so the same message: what was prepared is alive.
            let prepared = prepared.filter(|(json, _)| json.as_ptr() == kept.as_ptr());
            complete.push(if let Some((_, frame)) = prepared {
                frame.clone()
            } else {
                budget = budget.checked_sub(kept.len())?;
                translated(kept, outbox)
            });
        }
        Some(complete)
    }
}

impl Inside {
    /// Encodes what a connection has missed, for a `joined` that follows.
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
}

impl Room {
    /// Sends again what was said before a message, or lately, once the client has read what it has.
    pub(crate) async fn look_back(
        &self,
        to: Arc<Connection>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(), Refusal> {
        to.outbox.drained().await;
        let (frames, bytes) = to.outbox.page();
        let limit = limit.min(frames);
        let kept = self
            .inside
            .ask(move |state| state.log.before(before, limit));
        let kept = newest(kept.await.unwrap_or_default(), bytes);
        let mut frames = self.inside.translate(kept, &to).await?;
        // As many as fit; the client asks for the rest when it has read these.
        to.outbox.drained().await;
        while !to.outbox.offer(frames.clone()) {
            frames.drain(..frames.len().div_ceil(2));
            to.outbox.drained().await;
        }
        let frames_out = &self.inside.common.tally.frames_out;
        frames_out.inc_by(Kind::MESSAGE, frames.len());
        Ok(())
    }

    /// Tells a connection who is here.
    pub(crate) async fn list(&self, to: Arc<Connection>) -> Result<(), Refusal> {
        to.outbox.drained().await;
        let common = &self.inside.common;
        if let Some(bus) = &common.bus {
            let users = bus.users(self.name(), MAX_LISTED).await;
            if users.is_ok() || !bus.goes_on_alone() {
                let users = users?.ok_or_else(too_many)?;
                return self.tell_users(to, move || users).await;
            }
        }
        let Some(members) = self.inside.ask(|state| state.connections()).await else {
            return Ok(());
        };
        let members = members.ok_or_else(too_many)?;
        let users = move || members.iter().map(|one| one.user().to_owned()).collect();
        self.tell_users(to, users).await
    }

    async fn tell_users(
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
        let common = &self.inside.common;
        let Some(frame) = common.pages.run(encode).await? else {
            return Ok(());
        };
        if !to.outbox.takes(frame.len()) {
            return Err(too_many());
        }
        if to.outbox.push(frame) {
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

/// Messages as the log keeps them, for the owner of an outbox, until it ends.
fn translated_for(kept: &[Bytes], outbox: &Outbox) -> Vec<Bytes> {
    let wanted = kept.iter().take_while(|_| !outbox.is_sealed());
    wanted.map(|frame| translated(frame, outbox)).collect()
}

fn translated(kept: &Bytes, outbox: &Outbox) -> Bytes {
    wire::translated::<Message>(kept, outbox.subprotocol())
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
    use std::time::Duration;

    use super::*;
    use crate::outbox::Limits;

    fn outbox(subprotocol: Subprotocol) -> Outbox {
        let limits = Limits {
            frames: 8,
            bytes: 1 << 20,
            patience: Duration::ZERO,
        };
        Outbox::new(limits, subprotocol)
    }

    fn kept(text: &str) -> Bytes {
        let message = Message {
            text: text.to_owned(),
            ..Message::default()
        };
        wire::message(&message, Subprotocol::Json)
    }

    #[test]
    fn ended_connection_is_encoded_nothing() {
        let outbox = outbox(Subprotocol::Protobuf);
        // No message: to read it is a panic.
        let unreadable = [Bytes::from_static(&[0; 64])];
        outbox.abandon();
        assert_eq!(translated_for(&unreadable, &outbox), Vec::<Bytes>::new());
    }

    #[test]
    fn page_ends_where_its_bytes_do() {
        let frames: Vec<_> = [3, 2, 4, 1].map(|len| Bytes::from(vec![0; len])).into();
        for (bytes, count) in [(0, 1), (1, 1), (4, 1), (5, 2), (6, 2), (7, 3), (10, 4)] {
            assert_eq!(newest(frames.clone(), bytes).len(), count, "{bytes} bytes");
        }
        assert_eq!(newest(Vec::new(), 5), Vec::<Bytes>::new());
    }

    #[test]
    fn prepared_messages_are_completed_within_a_budget() {
        let outbox = outbox(Subprotocol::Protobuf);
        let (first, second) = (kept("first"), kept("second"));
        let marked = Bytes::from_static(b"encoded before");
        let prepared = Prepared(vec![(first.clone(), marked.clone())]);
        let missed = vec![first.clone(), second.clone()];
        assert_eq!(
            prepared.complete(missed, &outbox),
            Some(vec![marked.clone(), translated(&second, &outbox)])
        );
        // Forgotten meanwhile: what was prepared is of another place.
        assert_eq!(
            prepared.complete(vec![second.clone()], &outbox),
            Some(vec![translated(&second, &outbox)])
        );
        let long = kept(&"x".repeat(IN_LINE));
        assert_eq!(prepared.complete(vec![first, long], &outbox), None);
    }
}
