//! A room of a reconnecting client: orders its messages and requests missing ones. It does no I/O.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use bytes::Bytes;
use serde::Serialize;

use super::{
    connection::encode,
    news::News,
    position::{self, Position},
};
use crate::{
    frame::Kind,
    payload::{History, Joined, Message},
};

/// The messages of one request. The server sends a page only if all of it fits the client's outbox.
const PAGE: u64 = 64;

/// The output of a place.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Events for the program.
    pub(super) news: VecDeque<News>,
    /// Frames for the server.
    pub(super) frames: VecDeque<Bytes>,
}

/// The client's place in a room.
#[derive(Debug, Default)]
pub(super) struct Place {
    room: String,
    /// How many messages may wait for missing earlier messages.
    max_held: usize,
    /// The last message that was delivered or lost; unknown before the room is joined.
    pub(super) last: Option<Position>,
    /// The highest number that a message is known to have.
    newest: u64,
    /// Messages after `last` that wait for missing earlier messages.
    held: BTreeMap<u64, Message>,
    /// Whether the program has got [`News::Joined`].
    announced: bool,
    /// Whether the server has answered the join on this connection.
    joined: bool,
    /// Whether the server has refused the join on this connection for now.
    pub(super) refused: bool,
    /// The recovery in progress.
    recovery: Option<Recovery>,
    /// The requests that this connection has not answered yet, in order.
    asks: VecDeque<Ask>,
    /// Histories that the program has requested, in order.
    pub(super) requested: VecDeque<History>,
    /// The received part of the answer to the first of these.
    page: Vec<Message>,
}

/// The delivery of the messages that the client missed.
#[derive(Debug)]
struct Recovery {
    /// The number of its last message.
    to: u64,
    delivered: u64,
}

/// A request for messages.
#[derive(Debug, PartialEq, Eq)]
enum Ask {
    /// For missing messages up to this number.
    Missing(u64),
    /// For messages of an epoch that has ended.
    Outdated,
    /// For the first history that the program has requested.
    Requested,
}

impl Place {
    /// Creates the place of a room of which the program has seen the messages up to a position.
    pub(super) fn new(room: &str, seen: Option<Position>, max_held: usize) -> Self {
        Self {
            room: room.to_owned(),
            max_held,
            newest: seen.as_ref().map_or(0, |seen| seen.seq),
            last: seen,
            ..Self::default()
        }
    }

    fn last(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.seq)
    }

    fn set_last(&mut self, seq: u64) {
        if let Some(last) = &mut self.last {
            last.seq = seq;
        }
    }

    /// Joins the room, on a new connection or after a refusal.
    pub(super) fn join_room(&mut self, made: &mut Made) {
        self.refused = false;
        self.join(self.last.clone(), made);
    }

    /// Handles a join that was refused for now. Returns false if it was to mark the end of a page.
    pub(super) fn on_not_joined(&mut self) -> bool {
        self.refused = !self.joined;
        self.refused
    }

    /// Returns whether the server owes an answer to a request for messages.
    pub(super) fn is_asking(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Handles a lost connection or membership: drops the requests that were not answered.
    pub(super) fn disconnected(&mut self) {
        self.joined = false;
        self.refused = false;
        self.recovery = None;
        self.asks.clear();
        self.page.clear();
    }

    /// Requests messages for the program.
    pub(super) fn request(&mut self, before: Option<u64>, limit: u32, made: &mut Made) {
        let room = self.room.clone();
        self.requested.push_back(History {
            room,
            before,
            limit,
        });
        if self.joined {
            self.ask_requested(self.requested.len() - 1, made);
        }
    }

    /// Handles the state of the room. The server sends it after the join, after each page, when the
    /// room begins a new epoch, and when the server itself has missed messages.
    pub(super) fn on_joined(&mut self, joined: Joined, made: &mut Made) {
        self.refused = false;
        if !mem::replace(&mut self.joined, true) {
            self.arrive(joined, made);
            for index in 0..self.requested.len() {
                self.ask_requested(index, made);
            }
            return;
        }
        if self.is_outdated(&joined.epoch) {
            // This answers no request. The answers follow.
            self.page.clear();
            for ask in &mut self.asks {
                if matches!(ask, Ask::Missing(_)) {
                    *ask = Ask::Outdated;
                }
            }
            return self.arrive(joined, made);
        }
        if joined.seq > self.newest {
            // An answer follows all messages up to its number, so the server has missed these.
            self.newest = joined.seq;
            return self.advance(made);
        }
        match self.asks.pop_front() {
            // The newest is still missing, so the server has deleted the messages.
            Some(Ask::Missing(to)) if self.missing().is_some_and(|gap| gap.1 == to) => {
                self.lose(to, made);
            }
            Some(Ask::Requested) => {
                self.requested.pop_front();
                made.news.push_back(News::History {
                    room: self.room.clone(),
                    messages: mem::take(&mut self.page),
                });
            }
            Some(Ask::Missing(_) | Ask::Outdated) | None => {}
        }
        self.advance(made);
    }

    /// Handles a message, which may be new or part of a requested page.
    pub(super) fn on_message(&mut self, message: Message, made: &mut Made) {
        // Ignore messages that arrive before the answer to the join.
        let Some(last) = self.last().filter(|_| self.joined) else {
            return;
        };
        let seq = message.seq;
        if seq <= self.newest && self.asks.front() == Some(&Ask::Requested) {
            self.page.push(message.clone());
        }
        if seq > last {
            self.newest = self.newest.max(seq);
            self.held.insert(seq, message);
            self.advance(made);
        }
    }

    /// Returns whether the known numbers are of an earlier epoch.
    fn is_outdated(&self, epoch: &str) -> bool {
        self.last.as_ref().is_some_and(|last| last.epoch != epoch)
    }

    /// Handles the state of the room on a new connection or in a new epoch.
    fn arrive(&mut self, joined: Joined, made: &mut Made) {
        let (seq, epoch, recovered) = (joined.seq, joined.epoch.clone(), joined.recovered);
        if !mem::replace(&mut self.announced, true) {
            made.news.push_back(News::Joined(joined));
        }
        let Some(last) = self.last() else {
            self.last = Some(Position { epoch, seq });
            self.newest = seq;
            return;
        };
        if self.is_outdated(&epoch) {
            // The held messages are of the old epoch, so their gaps stay.
            self.give_up(made);
            made.news.push_back(News::Renumbered {
                room: self.room.clone(),
                seq,
                epoch: epoch.clone(),
            });
            self.last = Some(Position { epoch, seq: 0 });
            self.newest = seq;
        } else if recovered {
            // All missed messages follow in order, so there is nothing to request.
            self.held.clear();
            self.newest = last;
        } else {
            // The new server may be behind the previous server, and behind this client.
            self.newest = seq.max(last);
        }
        self.recovery = Some(Recovery {
            to: seq,
            delivered: 0,
        });
        self.advance(made);
    }

    /// Delivers the messages that are in order, and requests the first missing messages.
    fn advance(&mut self, made: &mut Made) {
        self.deliver_held(made);
        while let Some((from, to)) = self.missing() {
            if self.held.len() > self.max_held {
                // The requested messages will be too late, and count as repetitions.
                self.lose(to, made);
            } else if self.asks.iter().any(|ask| matches!(ask, Ask::Missing(_))) {
                break;
            } else {
                self.ask_missing(from, to, made);
            }
        }
        self.finish(made);
    }

    /// Delivers all held messages, and reports the messages between as lost.
    fn give_up(&mut self, made: &mut Made) {
        self.newest = self.held.last_key_value().map_or(0, |(&seq, _)| seq);
        while let Some((_, to)) = self.missing() {
            self.lose(to, made);
        }
    }

    /// Returns the first and last number of the first gap.
    fn missing(&self) -> Option<(u64, u64)> {
        let next = self.last()?.checked_add(1)?;
        let to = match self.held.first_key_value() {
            Some((&first, _)) => first - 1,
            None => self.newest,
        };
        (next <= to).then_some((next, to))
    }

    fn lose(&mut self, to: u64, made: &mut Made) {
        let room = self.room.clone();
        let from = self.last().unwrap_or(0) + 1;
        made.news.push_back(News::Lost { room, from, to });
        self.set_last(to);
        self.finish(made);
        self.deliver_held(made);
    }

    fn deliver_held(&mut self, made: &mut Made) {
        while let Some(next) = self.last().and_then(|last| last.checked_add(1))
            && let Some(message) = self.held.remove(&next)
        {
            self.set_last(next);
            if let Some(recovery) = &mut self.recovery
                && next <= recovery.to
            {
                recovery.delivered += 1;
            }
            made.news.push_back(News::Message(message));
            // The end of the recovery directly follows its last message.
            self.finish(made);
        }
    }

    /// Reports the end of the recovery after its last message.
    fn finish(&mut self, made: &mut Made) {
        let last = self.last();
        let done = |recovery: &mut Recovery| Some(recovery.to) <= last;
        if let Some(Recovery { delivered, .. }) = self.recovery.take_if(done) {
            made.news.push_back(News::Recovered {
                room: self.room.clone(),
                messages: delivered,
            });
        }
    }

    fn ask_missing(&mut self, from: u64, to: u64, made: &mut Made) {
        self.asks.push_back(Ask::Missing(to));
        let limit = (to - from).saturating_add(1).min(PAGE);
        let limit = u32::try_from(limit).expect("a page is small");
        let history = History {
            room: self.room.clone(),
            before: Some(to.saturating_add(1)),
            limit,
        };
        self.ask(&history, made);
    }

    fn ask_requested(&mut self, index: usize, made: &mut Made) {
        self.asks.push_back(Ask::Requested);
        self.ask(&self.requested[index], made);
    }

    /// Requests messages. No frame ends a page, so the request is followed by a join: the room
    /// answers in order, and the `joined` follows the page.
    fn ask(&self, history: &History, made: &mut Made) {
        send(Kind::HISTORY, history, made);
        self.join(None, made);
    }

    fn join(&self, seen: Option<Position>, made: &mut Made) {
        send(Kind::JOIN, &position::join(self.room.clone(), seen), made);
    }
}

fn send<P: Serialize>(kind: Kind, payload: &P, made: &mut Made) {
    let frame = encode(kind, payload, u32::MAX).expect("names and numbers are small");
    made.frames.push_back(frame);
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
