//! A room's state, and what its operations do to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Common, Room};
use crate::connection::Connection;
use crate::directory::Claim;
use crate::error::Refusal;
use crate::frame::Kind;
use crate::history::Log;
use crate::outbox::Outbox;
use crate::payload::{self, ErrorCode, Joined, Message, Payload, Presence, PresenceEvent};
use crate::subprotocol::Subprotocol;
use crate::wire::{self, Shared};

/// Larger rooms do not list their members: the answer to one would cost more than a thousand messages.
const MAX_LISTED: usize = 1000;

/// Touched by the room's strand, and by those that depart.
pub(super) struct State {
    name: Arc<str>,
    members: HashMap<u64, Member>,
    /// Gives the numbers, for it outlives the room.
    log: Arc<Log>,
    common: Arc<Common>,
}

/// Where a message comes from.
pub(super) struct Source {
    pub(super) from: Arc<Connection>,
    /// What it is acknowledged under, if that is wanted.
    pub(super) id: Option<String>,
    /// When it had been read.
    pub(super) arrived: Instant,
    /// Keeps the room until the message has come to it.
    pub(super) _claim: Arc<Claim<Room>>,
}

struct Member {
    connection: Arc<Connection>,
    /// Keeps the room in the hub.
    _claim: Arc<Claim<Room>>,
}

impl State {
    pub(super) fn new(name: Arc<str>, common: Arc<Common>) -> Self {
        Self {
            log: common.history.log(&name),
            name,
            members: HashMap::new(),
            common,
        }
    }

    #[cfg(test)]
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    pub(super) fn join(
        &mut self,
        connection: Arc<Connection>,
        claim: Arc<Claim<Room>>,
        after: Option<u64>,
    ) {
        if connection.outbox.ended().is_some() {
            // It has departed already, maybe before it came.
            return;
        }
        self.tell_presence(connection.user(), PresenceEvent::Joined);
        let id = connection.id;
        let member = Member {
            connection,
            _claim: claim,
        };
        self.members.insert(id, member);
        self.greet(&self.members[&id].connection, after);
    }

    pub(super) fn greet(&self, connection: &Connection, after: Option<u64>) {
        let mut joined = Joined {
            room: self.name.to_string(),
            seq: self.log.newest(),
            members: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            recovered: true,
        };
        let outbox = &connection.outbox;
        if let Some(missed) = after.and_then(|seq| self.log.after(seq)) {
            let count = missed.len();
            let mut frames = vec![wire::message(&joined, outbox.subprotocol())];
            frames.extend(missed.iter().map(|frame| translated(frame, outbox)));
            if outbox.offer(frames) {
                let frames_out = &self.common.tally.frames_out;
                frames_out.inc(Kind::JOINED);
                frames_out.inc_by(Kind::MESSAGE, count);
                return;
            }
        }
        joined.recovered = false;
        connection.tell(&joined, &self.common.tally);
    }

    pub(super) fn leave(&mut self, id: u64) {
        if let Some(member) = self.members.remove(&id) {
            self.tell_presence(member.connection.user(), PresenceEvent::Left);
        }
    }

    /// Numbers a message, keeps it in the log, and delivers it.
    pub(super) fn publish(&mut self, source: &Source, mut message: Message) {
        let (seq, message) = self.log.append(|seq| {
            message.seq = seq;
            let message = Shared::new(message);
            (message.encoded(Subprotocol::Json).clone(), message)
        });
        self.said(source, seq, &message);
    }

    /// Keeps a message in the log that has its number, and delivers it.
    pub(super) fn deliver_numbered(&mut self, source: &Source, message: Message) {
        let seq = message.seq;
        let message = Shared::new(message);
        let kept = message.encoded(Subprotocol::Json).clone();
        self.log.push(seq, kept);
        self.said(source, seq, &message);
    }

    fn said(&mut self, source: &Source, seq: u64, message: &Shared<Message>) {
        self.deliver(message);
        self.common.tally.fanout.record(source.arrived);
        self.common.tally.messages.inc();
        if let Some(id) = source.id.clone() {
            let room = self.name.to_string();
            let ack = payload::Ack { id, room, seq };
            source.from.tell(&ack, &self.common.tally);
        }
    }

    /// Gives a payload to each member; those that take none any more are members no more.
    pub(super) fn deliver<P: Payload>(&mut self, payload: &Shared<P>) {
        let mut gone = Vec::new();
        for (id, member) in &self.members {
            let outbox = &member.connection.outbox;
            if !outbox.push(payload.encoded(outbox.subprotocol()).clone()) {
                gone.push(*id);
            }
        }
        let told = self.members.len() - gone.len();
        self.common.tally.deliveries.inc_by(told as u64);
        self.common.tally.frames_out.inc_by(P::KIND, told);
        for id in gone {
            self.leave(id);
        }
    }

    pub(super) fn look_back(&self, to: &Connection, before: Option<u64>, limit: usize) {
        let kept = self.log.before(before, limit);
        let translated = kept.iter().map(|frame| translated(frame, &to.outbox));
        let mut frames: Vec<_> = translated.collect();
        // As many as fit; the client asks for the rest when it has read these.
        while !to.outbox.offer(frames.clone()) {
            frames.drain(..frames.len().div_ceil(2));
        }
        let frames_out = &self.common.tally.frames_out;
        frames_out.inc_by(Kind::MESSAGE, frames.len());
    }

    pub(super) fn list(&self, to: &Connection) {
        if self.members.len() > MAX_LISTED {
            let refusal = Refusal::new(
                ErrorCode::Forbidden,
                format!("more than {MAX_LISTED} members are not listed"),
            );
            to.refuse(&refusal, &self.common.tally);
            return;
        }
        let mut users: Vec<_> = self
            .members
            .values()
            .map(|member| member.connection.user().to_owned())
            .collect();
        users.sort_unstable();
        users.dedup();
        let answer = payload::Members {
            room: self.name.to_string(),
            users,
        };
        to.tell(&answer, &self.common.tally);
    }

    /// Tells the others that a user came or went; of a user that is here more than once only the first and the last.
    fn tell_presence(&mut self, user: &str, event: PresenceEvent) {
        let mut members = self.members.values();
        if self.members.len() > self.common.presence_limit
            || members.any(|member| member.connection.user() == user)
        {
            return;
        }
        let presence = Presence {
            room: self.name.to_string(),
            user: user.to_owned(),
            event: event.into(),
        };
        self.deliver(&Shared::new(presence));
    }
}

/// A message as the log keeps it, for the owner of an outbox.
fn translated(kept: &Bytes, outbox: &Outbox) -> Bytes {
    wire::translated::<Message>(kept, outbox.subprotocol())
}
