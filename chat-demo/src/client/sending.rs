//! What a reconnecting client has to send, and what it has sent and waits to be answered.

use std::{
    collections::{BTreeSet, VecDeque},
    task::{Context, Poll},
};

use bytes::Bytes;
use serde::Serialize;

use super::{
    connection::{Connection, encode},
    error::{ClientError, Result},
};
use crate::{frame::Kind, payload::Publish};

/// Frames that are given to the socket before it has to send them: what it has is no longer known to be unsent.
const BATCH: usize = 32;

/// Frames in the order of the calls.
#[derive(Debug)]
pub(super) struct Sending {
    max_unsent: usize,
    /// The longest payload that the server takes, once it has said so.
    pub(super) max_payload: u32,
    unsent: VecDeque<Unsent>,
    /// Texts that were sent.
    unanswered: BTreeSet<u64>,
    last_id: u64,
}

#[derive(Debug)]
struct Unsent {
    frame: Bytes,
    /// Of a text, which outlives the connection.
    id: Option<u64>,
}

impl Sending {
    pub(super) fn new(max_unsent: usize) -> Self {
        Self {
            max_unsent,
            max_payload: u32::MAX,
            unsent: VecDeque::new(),
            unanswered: BTreeSet::new(),
            last_id: 0,
        }
    }

    /// Notes a text; returns its id.
    pub(super) fn publish(&mut self, room: &str, text: &str) -> Result<u64> {
        let id = self.last_id + 1;
        let publish = Publish {
            room: room.to_owned(),
            text: text.to_owned(),
            id: Some(id.to_string()),
        };
        self.push(Kind::PUBLISH, &publish, Some(id))?;
        self.last_id = id;
        Ok(id)
    }

    /// Notes a frame of the program.
    pub(super) fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        self.push(kind, payload, None)
    }

    fn push<P: Serialize + ?Sized>(
        &mut self,
        kind: Kind,
        payload: &P,
        id: Option<u64>,
    ) -> Result<()> {
        if self.unsent.len() >= self.max_unsent {
            return Err(ClientError::Full(self.max_unsent));
        }
        let frame = encode(kind, payload, self.max_payload)?;
        self.unsent.push_back(Unsent { frame, id });
        Ok(())
    }

    /// Notes what has to go whatever waits already: as many as there are rooms and pages.
    pub(super) fn extend(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let frames = frames.into_iter();
        self.unsent
            .extend(frames.map(|frame| Unsent { frame, id: None }));
    }

    /// The same, before all that waits.
    pub(super) fn put_first(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let later = std::mem::take(&mut self.unsent);
        self.extend(frames);
        self.unsent.extend(later);
    }

    /// Sends what fits, a batch at a time.
    pub(super) fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>) {
        // What is wrong is told by the reading side.
        while let Poll::Ready(Ok(())) = connection.poll_flush(cx)
            && !self.unsent.is_empty()
        {
            let batch = self.unsent.len().min(BATCH);
            for Unsent { frame, id } in self.unsent.drain(..batch) {
                self.unanswered.extend(id);
                let _ = connection.feed(frame);
            }
        }
    }

    /// The text that an answer of the server is about, if it is one of ours.
    pub(super) fn answered(&mut self, id: &str) -> Option<u64> {
        let id = id.parse().ok()?;
        self.unanswered.remove(&id).then_some(id)
    }

    /// The connection is lost: of what was sent nothing will be answered, and of the rest only texts are kept.
    pub(super) fn disconnected(&mut self) -> BTreeSet<u64> {
        self.unsent.retain(|unsent| unsent.id.is_some());
        std::mem::take(&mut self.unanswered)
    }

    /// How many texts have not been sent, or not been answered.
    pub(super) fn unsettled(&self) -> usize {
        let unsent = self.unsent.iter().filter(|unsent| unsent.id.is_some());
        unsent.count() + self.unanswered.len()
    }
}
