//! The queue of a reconnecting client: frames to send, and texts that wait for an answer.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use serde::Serialize;

use super::{
    connection::{Connection, encode},
    error::{ClientError, Result},
    event::Event,
    news::News,
};
use crate::{
    frame::Kind,
    payload::{self, Ack, ErrorCode, Publish},
};

/// Frames per flush. A frame in the socket's buffer is no longer known to be unsent.
const BATCH: usize = 32;

/// Frames in the order of the calls.
#[derive(Default)]
pub(super) struct Sending {
    max_unsent: usize,
    /// The server's payload limit, after its welcome.
    pub(super) max_payload: u32,
    unsent: VecDeque<Unsent>,
    /// Sent texts, by id.
    unanswered: BTreeMap<u64, Text>,
    /// The texts of rooms that cannot be joined now, by room and id.
    held: BTreeMap<String, BTreeMap<u64, Text>>,
    last_id: u64,
    /// The prefix of each idempotency key, unique to this client.
    prefix: u64,
}

enum Unsent {
    /// Frames to drop with the connection.
    Frame(Bytes),
    /// Texts to keep when the connection is lost.
    Text(u64, Text),
}

/// A text with its key, the same in each attempt.
struct Text {
    room: String,
    frame: Bytes,
    /// Whether an earlier attempt had no answer.
    is_repeated: bool,
}

impl Sending {
    pub(super) fn new(max_unsent: usize) -> Self {
        Self {
            max_unsent,
            max_payload: u32::MAX,
            prefix: RandomState::new().build_hasher().finish(),
            ..Self::default()
        }
    }

    /// Enqueues a text and returns its id.
    pub(super) fn publish(&mut self, room: &str, text: &str) -> Result<u64> {
        let id = self.last_id + 1;
        let publish = Publish {
            room: room.to_owned(),
            text: text.to_owned(),
            id: Some(id.to_string()),
            key: Some(format!("{:016x}-{id}", self.prefix)),
        };
        let text = Text {
            room: room.to_owned(),
            frame: self.encode(Kind::PUBLISH, &publish)?,
            is_repeated: false,
        };
        self.enqueue(id, text);
        self.last_id = id;
        Ok(id)
    }

    /// Enqueues a frame of the program.
    pub(super) fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        let frame = self.encode(kind, payload)?;
        self.unsent.push_back(Unsent::Frame(frame));
        Ok(())
    }

    /// Encodes a frame. Fails if the queue is full.
    fn encode<P: Serialize + ?Sized>(&self, kind: Kind, payload: &P) -> Result<Bytes> {
        if self.unsent.len() + self.unanswered.len() + self.held() >= self.max_unsent {
            return Err(ClientError::Full(self.max_unsent));
        }
        encode(kind, payload, self.max_payload)
    }

    /// Enqueues a text beyond the bound.
    fn enqueue(&mut self, id: u64, text: Text) {
        if let Some(held) = self.held.get_mut(&text.room) {
            held.insert(id, text);
        } else {
            self.unsent.push_back(Unsent::Text(id, text));
        }
    }

    /// Holds the texts of a room until [`release`](Self::release): the server refuses them now.
    pub(super) fn hold(&mut self, room: &str) {
        let held = self.held.entry(room.to_owned()).or_default();
        for unsent in mem::take(&mut self.unsent) {
            match unsent {
                Unsent::Text(id, text) if text.room == room => {
                    held.insert(id, text);
                }
                other => self.unsent.push_back(other),
            }
        }
    }

    /// Enqueues the texts that were held, in the order of the calls.
    pub(super) fn release(&mut self, room: &str) {
        for (id, text) in self.held.remove(room).unwrap_or_default() {
            self.enqueue(id, text);
        }
    }

    /// Enqueues frames beyond the bound; there are at most as many as rooms and pages.
    pub(super) fn extend(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let frames = frames.into_iter().map(Unsent::Frame);
        self.unsent.extend(frames);
    }

    /// Enqueues frames at the front, beyond the bound.
    pub(super) fn put_first(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let later = mem::take(&mut self.unsent);
        self.extend(frames);
        self.unsent.extend(later);
    }

    /// Sends queued frames in batches.
    pub(super) fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>) {
        // Ignore errors: the reading side reports them.
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

    /// Settles the text of an ack.
    pub(super) fn acked(&mut self, ack: Ack) -> Option<News> {
        let (id, _) = self.take_unanswered(&ack.id)?;
        let Ack { room, seq, .. } = ack;
        Some(News::Acked { id, room, seq })
    }

    /// Settles the text of an error. Sends it again if the server may have kept it, or if its room
    /// is to be joined again.
    pub(super) fn refused(&mut self, error: payload::Error) -> Option<News> {
        let id = error.id.as_deref().unwrap_or_default();
        let Some((id, text)) = self.take_unanswered(id) else {
            return Some(News::Other(Event::Error(error)));
        };
        if error.code() == ErrorCode::Uncertain {
            self.enqueue(id, text.repeated());
            return None;
        }
        if error.code() == ErrorCode::NotMember && self.held.contains_key(&text.room) {
            // It was sent behind the join that was refused.
            self.enqueue(id, text);
            return None;
        }
        Some(if text.is_repeated {
            News::Unsure { id }
        } else {
            News::Refused { id, error }
        })
    }

    fn take_unanswered(&mut self, id: &str) -> Option<(u64, Text)> {
        self.unanswered.remove_entry(&id.parse().ok()?)
    }

    /// Handles a lost connection: keeps the texts, in the order of the calls.
    pub(super) fn disconnected(&mut self) {
        let held = mem::take(&mut self.held).into_values().flatten();
        let mut texts: BTreeMap<u64, Text> = held.collect();
        let unanswered = mem::take(&mut self.unanswered).into_iter();
        texts.extend(unanswered.map(|(id, text)| (id, text.repeated())));
        for unsent in mem::take(&mut self.unsent) {
            if let Unsent::Text(id, text) = unsent {
                texts.insert(id, text);
            }
        }
        let texts = texts.into_iter();
        self.unsent = texts.map(|(id, text)| Unsent::Text(id, text)).collect();
    }

    /// Handles a new user name, for which the keys are unknown: drops the texts that would be
    /// repeated, and returns their ids.
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

    fn held(&self) -> usize {
        self.held.values().map(BTreeMap::len).sum()
    }

    /// Returns how many texts have not been sent or answered.
    pub(super) fn unsettled(&self) -> usize {
        let unsent = self.unsent.iter();
        let texts = unsent.filter(|unsent| matches!(unsent, Unsent::Text(..)));
        texts.count() + self.unanswered.len() + self.held()
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

/// Omits the frames: one may have a token.
impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("unsettled", &self.unsettled())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let mut sending = Sending::new(1);
        let hello = serde_json::json!({ "token": "secret" });
        sending.send(Kind::HELLO, &hello).expect("there is room");
        let shown = format!("{sending:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
