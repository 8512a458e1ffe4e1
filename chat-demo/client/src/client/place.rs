//! A room of a reconnecting client: the messages that it has returned, and how to get missing ones.
//! It does no I/O.

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

/// How many messages to ask for at a time: the server sends them only if all fit the client's line.
const PAGE: u64 = 64;

/// What places make.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// For the program.
    pub(super) news: VecDeque<News>,
    /// For the server.
    pub(super) frames: VecDeque<Bytes>,
}

/// The client's place in a room.
#[derive(Debug)]
pub(super) struct Place {
    room: String,
    /// How many messages may wait for those before them.
    max_held: usize,
    /// The last message that was told, or lost; unknown before the room is joined.
    last: Option<Position>,
    /// The highest number that is known to be taken.
    newest: u64,
    /// Messages after `last` that wait for those before them.
    held: BTreeMap<u64, Message>,
    /// The program knows that it is a member.
    announced: bool,
    /// There was an answer to the join, on this connection.
    joined: bool,
    /// What was missed, while it is being told.
    recovery: Option<Recovery>,
    /// What this connection has yet to answer, in order.
    asks: VecDeque<Ask>,
    /// Histories that the program wants, in order.
    wanted: VecDeque<History>,
    /// The answer to the first of these, as far as it has come.
    page: Vec<Message>,
}

#[derive(Debug)]
struct Recovery {
    /// Where it ends.
    to: u64,
    told: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Ask {
    /// For missing messages, of which this is the newest.
    Missing(u64),
    /// For messages of an epoch that has ended.
    Outdated,
    /// For the first of those that the program wants.
    Wanted,
}

impl Place {
    /// In a room of which the program has seen messages up to one.
    pub(super) fn new(room: &str, seen: Option<Position>, max_held: usize) -> Self {
        Self {
            room: room.to_owned(),
            max_held,
            newest: seen.as_ref().map_or(0, |seen| seen.seq),
            last: seen,
            held: BTreeMap::new(),
            announced: false,
            joined: false,
            recovery: None,
            asks: VecDeque::new(),
            wanted: VecDeque::new(),
            page: Vec::new(),
        }
    }

    /// The last message that was told, or lost.
    pub(super) fn position(&self) -> Option<&Position> {
        self.last.as_ref()
    }

    fn last(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.seq)
    }

    fn set_last(&mut self, seq: u64) {
        if let Some(last) = &mut self.last {
            last.seq = seq;
        }
    }

    /// How many histories the program waits for.
    pub(super) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    /// There is a connection, which knows nothing of this client yet.
    pub(super) fn connected(&mut self, made: &mut Made) {
        self.join(self.last.clone(), made);
    }

    /// The connection is lost, with all that it had yet to answer.
    pub(super) fn disconnected(&mut self) {
        self.joined = false;
        self.recovery = None;
        self.asks.clear();
        self.page.clear();
    }

    /// The program wants to see what was said.
    pub(super) fn want(&mut self, before: Option<u64>, limit: u32, made: &mut Made) {
        let room = self.room.clone();
        self.wanted.push_back(History {
            room,
            before,
            limit,
        });
        if self.joined {
            self.ask_wanted(self.wanted.len() - 1, made);
        }
    }

    /// The server tells how the room stands: first to the join, then after each page, and when the
    /// room begins anew.
    pub(super) fn on_joined(&mut self, joined: Joined, made: &mut Made) {
        if !mem::replace(&mut self.joined, true) {
            self.arrive(joined, made);
            for index in 0..self.wanted.len() {
                self.ask_wanted(index, made);
            }
            return;
        }
        if self.is_outdated(&joined.epoch) {
            // Nobody has asked for it: the answers to what was asked come later.
            self.page.clear();
            for ask in &mut self.asks {
                if matches!(ask, Ask::Missing(_)) {
                    *ask = Ask::Outdated;
                }
            }
            return self.arrive(joined, made);
        }
        match self.asks.pop_front() {
            Some(Ask::Missing(to)) => self.on_page(to, made),
            Some(Ask::Wanted) => {
                self.wanted.pop_front();
                made.news.push_back(News::History {
                    room: self.room.clone(),
                    messages: mem::take(&mut self.page),
                });
            }
            Some(Ask::Outdated) | None => {}
        }
        self.newest = self.newest.max(joined.seq);
        self.go_on(made);
    }

    /// A message, of which nothing tells whether it is new or was asked for.
    pub(super) fn on_message(&mut self, message: Message, made: &mut Made) {
        // Before it is joined a room says nothing.
        let Some(last) = self.last().filter(|_| self.joined) else {
            return;
        };
        let seq = message.seq;
        if seq <= self.newest && self.asks.front() == Some(&Ask::Wanted) {
            self.page.push(message.clone());
        }
        if seq > last {
            self.newest = self.newest.max(seq);
            self.held.insert(seq, message);
            self.go_on(made);
        }
    }

    /// Whether the numbers that are known are not those of the room any more.
    fn is_outdated(&self, epoch: &str) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| last.epoch != epoch)
    }

    /// The room stands here, on a new connection or in a new epoch.
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
            // What is held was said before the server forgot.
            self.give_up(made);
            made.news.push_back(News::Renumbered {
                room: self.room.clone(),
                seq,
                epoch: epoch.clone(),
            });
            self.last = Some(Position { epoch, seq: 0 });
            self.newest = seq;
        } else if recovered {
            // All of it comes now, in order: there is nothing to ask for.
            self.held.clear();
            self.newest = last;
        } else {
            // A server that is behind the one before has sent less than was seen.
            self.newest = seq.max(last);
        }
        self.recovery = Some(Recovery { to: seq, told: 0 });
        self.go_on(made);
    }

    /// Tells what is in order, and asks for what is missing before the rest.
    fn go_on(&mut self, made: &mut Made) {
        self.tell_held(made);
        while let Some((from, to)) = self.missing() {
            if self.held.len() > self.max_held {
                // What was asked for comes too late, and will be taken for a repetition.
                self.lose(to, made);
            } else if self.asks.iter().any(|ask| matches!(ask, Ask::Missing(_))) {
                break;
            } else {
                self.ask_missing(from, to, made);
            }
        }
        self.finish(made);
    }

    /// The server has sent what it had of the messages up to `to`.
    fn on_page(&mut self, to: u64, made: &mut Made) {
        if self.missing().is_some_and(|(_, missing)| missing == to) {
            // Not even the newest of them came.
            self.lose(to, made);
        }
    }

    /// Tells what is held, whatever is missing between.
    fn give_up(&mut self, made: &mut Made) {
        self.newest = self.held.last_key_value().map_or(0, |(&seq, _)| seq);
        while let Some((_, to)) = self.missing() {
            self.lose(to, made);
        }
    }

    /// The first messages that are missing, by their numbers.
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
        self.tell_held(made);
    }

    fn tell_held(&mut self, made: &mut Made) {
        while let Some(next) = self.last().and_then(|last| last.checked_add(1))
            && let Some(message) = self.held.remove(&next)
        {
            self.set_last(next);
            if let Some(recovery) = &mut self.recovery
                && next <= recovery.to
            {
                recovery.told += 1;
            }
            made.news.push_back(News::Message(message));
            // In its place among the messages.
            self.finish(made);
        }
    }

    /// Tells the end of a recovery that has reached it.
    fn finish(&mut self, made: &mut Made) {
        let last = self.last();
        let done = |recovery: &mut Recovery| Some(recovery.to) <= last;
        if let Some(Recovery { told, .. }) = self.recovery.take_if(done) {
            made.news.push_back(News::Recovered {
                room: self.room.clone(),
                messages: told,
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

    fn ask_wanted(&mut self, index: usize, made: &mut Made) {
        self.asks.push_back(Ask::Wanted);
        self.ask(&self.wanted[index], made);
    }

    /// No frame ends a page, and an empty page has none. The room answers in order, so that the
    /// `joined` to another join comes when the page has come.
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
