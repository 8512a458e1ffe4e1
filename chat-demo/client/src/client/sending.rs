//! What a reconnecting client has to send, and what it has sent and waits to be answered.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{BuildHasher, Hasher, RandomState},
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use serde::Serialize;

use super::{
    connection::{Connection, encode},
    error::{ClientError, Result},
};
use crate::{
    frame::Kind,
    payload::{self, ErrorCode, Publish},
};

/// Frames that are given to the socket before it has to send them: what it has is no longer known to be unsent.
const BATCH: usize = 32;

/// Frames in the order of the calls.
#[derive(Debug)]
pub(super) struct Sending {
    max_unsent: usize,
    /// The longest payload that the server takes, once it has said so.
    pub(super) max_payload: u32,
    unsent: VecDeque<Unsent>,
    /// Texts that were sent, by their ids.
    unanswered: BTreeMap<u64, Text>,
    last_id: u64,
    /// Begins each idempotency key, so that no other client of the user has the same.
    prefix: u64,
}

#[derive(Debug)]
enum Unsent {
    /// Dropped with the connection.
    Frame(Bytes),
    /// Outlives the connection.
    Text(u64, Text),
}

/// A text and its key, as they are sent however often that takes.
#[derive(Debug)]
struct Text {
    frame: Bytes,
    /// Whether an attempt before this one had no answer.
    is_repeated: bool,
}

/// What an answer of the server means for a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// It has a number.
    Acked(u64),
    /// Nobody will see it.
    Refused(u64),
    /// The repetition was refused; what became of the first attempt is not known.
    Unsure(u64),
    /// It may have been kept, and is sent again.
    Again,
    /// It is about none of these texts.
    Other,
}

impl Sending {
    pub(super) fn new(max_unsent: usize) -> Self {
        Self {
            max_unsent,
            max_payload: u32::MAX,
            unsent: VecDeque::new(),
            unanswered: BTreeMap::new(),
            last_id: 0,
            prefix: RandomState::new().build_hasher().finish(),
        }
    }

    /// Notes a text; returns its id.
    pub(super) fn publish(&mut self, room: &str, text: &str) -> Result<u64> {
        let id = self.last_id + 1;
        let publish = Publish {
            room: room.to_owned(),
            text: text.to_owned(),
            id: Some(id.to_string()),
            key: Some(format!("{:016x}-{id}", self.prefix)),
        };
        let text = Text {
            frame: self.encode(Kind::PUBLISH, &publish)?,
            is_repeated: false,
        };
        self.unsent.push_back(Unsent::Text(id, text));
        self.last_id = id;
        Ok(id)
    }

    /// Notes a frame of the program.
    pub(super) fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        let frame = self.encode(kind, payload)?;
        self.unsent.push_back(Unsent::Frame(frame));
        Ok(())
    }

    /// A frame, if there is space for it.
    fn encode<P: Serialize + ?Sized>(&self, kind: Kind, payload: &P) -> Result<Bytes> {
        if self.unsent.len() + self.unanswered.len() >= self.max_unsent {
            return Err(ClientError::Full(self.max_unsent));
        }
        encode(kind, payload, self.max_payload)
    }

    /// Notes what has to go whatever waits already: as many as there are rooms and pages.
    pub(super) fn extend(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let frames = frames.into_iter().map(Unsent::Frame);
        self.unsent.extend(frames);
    }

    /// The same, before all that waits.
    pub(super) fn put_first(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let later = mem::take(&mut self.unsent);
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
            for unsent in self.unsent.drain(..batch) {
                let frame = match unsent {
                    Unsent::Frame(frame) => frame,
                    Unsent::Text(id, text) => {
                        let frame = text.frame.clone();
                        self.unanswered.insert(id, text);
                        frame
                    }
                };
                let _ = connection.feed(frame);
            }
        }
    }

    /// The text that an ack is about.
    pub(super) fn acked(&mut self, id: &str) -> Answered {
        match self.take_unanswered(id) {
            Some((id, _)) => Answered::Acked(id),
            None => Answered::Other,
        }
    }

    /// The text that an error is about.
    pub(super) fn refused(&mut self, error: &payload::Error) -> Answered {
        let id = error.id.as_deref().unwrap_or_default();
        let Some((id, text)) = self.take_unanswered(id) else {
            return Answered::Other;
        };
        if error.code() == ErrorCode::Uncertain {
            self.unsent.push_back(Unsent::Text(id, text.repeated()));
            return Answered::Again;
        }
        if text.is_repeated {
            Answered::Unsure(id)
        } else {
            Answered::Refused(id)
        }
    }

    fn take_unanswered(&mut self, id: &str) -> Option<(u64, Text)> {
        self.unanswered.remove_entry(&id.parse().ok()?)
    }

    /// The connection is lost. Texts are kept, and those that were sent without an answer are sent first.
    pub(super) fn disconnected(&mut self) {
        let unanswered = mem::take(&mut self.unanswered).into_iter();
        let unsent = mem::take(&mut self.unsent).into_iter();
        let unsent = unsent.filter(|unsent| matches!(unsent, Unsent::Text(..)));
        self.unsent = unanswered
            .map(|(id, text)| Unsent::Text(id, text.repeated()))
            .chain(unsent)
            .collect();
    }

    /// The server knows this client as another user, for whom the keys are new: the texts that would be repeated are given
    /// up. Returns their ids.
    pub(super) fn give_up_repetitions(&mut self) -> Vec<u64> {
        let mut given_up = Vec::new();
        self.unsent.retain(|unsent| match unsent {
            Unsent::Text(id, text) if text.is_repeated => {
                given_up.push(*id);
                false
            }
            _ => true,
        });
        given_up
    }

    /// How many texts have not been sent, or not been answered.
    pub(super) fn unsettled(&self) -> usize {
        let unsent = self.unsent.iter();
        let texts = unsent.filter(|unsent| matches!(unsent, Unsent::Text(..)));
        texts.count() + self.unanswered.len()
    }
}

impl Text {
    fn repeated(self) -> Self {
        Self {
            is_repeated: true,
            ..self
        }
    }
}
