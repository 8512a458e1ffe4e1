//! One room: who is in it and what was said, in one order for all. Its operations are a strand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anthill::{Pool, SlotError};
use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;

use crate::connection::Connection;
use crate::directory::Claim;
use crate::error::Refusal;
use crate::frame::Kind;
use crate::payload::{self, ErrorCode, Joined, Message};
use crate::strand::{Actor, Strand};
use crate::wire;

/// Larger rooms do not list their members: the answer to one would cost more than a thousand messages.
const MAX_LISTED: usize = 1000;

/// Where members meet. Operations return when they are in line, not when they are done.
pub(crate) struct Room {
    name: Arc<str>,
    strand: Strand<State>,
}

/// What rooms count.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// Texts that got a number.
    pub(crate) messages: Counter,
    /// Frames that were put into a member's outbox.
    pub(crate) deliveries: Counter,
}

impl Room {
    pub(crate) fn new(name: Arc<str>, fanout: Pool, tally: Tally) -> Self {
        let state = State {
            name: name.clone(),
            seq: 0,
            members: HashMap::new(),
            tally,
        };
        Self {
            name,
            strand: Strand::new(state, fanout),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the connection a member, until the returned membership is dropped.
    pub(crate) async fn join(
        self: Arc<Self>,
        connection: Arc<Connection>,
        claim: Claim<Self>,
    ) -> Result<Membership, SlotError> {
        let membership = Membership {
            room: self,
            id: connection.id,
            left: false,
        };
        membership
            .room
            .strand
            .send(Op::Join { connection, claim })
            .await?;
        Ok(membership)
    }

    /// Sends a member the `joined` that it has had already, up to date.
    pub(crate) async fn greet(&self, member: Arc<Connection>) -> Result<(), SlotError> {
        self.strand.send(Op::Greet(member)).await
    }

    /// Numbers a text and delivers it; acknowledges it when it has an `id`.
    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        text: String,
        id: Option<String>,
    ) -> Result<(), SlotError> {
        self.strand.send(Op::Publish { from, text, id }).await
    }

    /// Delivers a frame without a number.
    pub(crate) async fn relay(&self, frame: Bytes) -> Result<(), SlotError> {
        self.strand.send(Op::Relay(frame)).await
    }

    /// Tells a connection who is here.
    pub(crate) async fn list(&self, to: Arc<Connection>) -> Result<(), SlotError> {
        self.strand.send(Op::List(to)).await
    }
}

/// A connection's place in a room. Dropping it leaves the room, whatever ended the connection.
pub(crate) struct Membership {
    room: Arc<Room>,
    id: u64,
    left: bool,
}

impl Membership {
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Leaves in line with the other operations, even when the pool is full.
    pub(crate) async fn leave(mut self) {
        // Closed: the server ends, and the room with it.
        let _ = self.room.strand.send(Op::Leave(self.id)).await;
        self.left = true;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if !self.left {
            self.room.strand.send_now(Op::Leave(self.id));
        }
    }
}

enum Op {
    Join {
        connection: Arc<Connection>,
        claim: Claim<Room>,
    },
    Greet(Arc<Connection>),
    Leave(u64),
    Publish {
        from: Arc<Connection>,
        text: String,
        id: Option<String>,
    },
    Relay(Bytes),
    List(Arc<Connection>),
}

/// The room's state, touched by its strand alone.
struct State {
    name: Arc<str>,
    /// The newest number.
    seq: u64,
    members: HashMap<u64, Member>,
    tally: Tally,
}

struct Member {
    connection: Arc<Connection>,
    /// Keeps the room in the hub.
    _claim: Claim<Room>,
}

impl Actor for State {
    type Op = Op;

    fn apply(&mut self, op: Op) {
        match op {
            Op::Join { connection, claim } => self.join(connection, claim),
            Op::Greet(connection) => self.greet(&connection),
            Op::Leave(id) => self.leave(id),
            Op::Publish { from, text, id } => self.publish(&from, text, id),
            Op::Relay(frame) => self.deliver(&frame),
            Op::List(to) => self.list(&to),
        }
    }
}

impl State {
    fn join(&mut self, connection: Arc<Connection>, claim: Claim<Room>) {
        let id = connection.id;
        self.members.insert(
            id,
            Member {
                connection,
                _claim: claim,
            },
        );
        self.greet(&self.members[&id].connection);
    }

    fn greet(&self, connection: &Connection) {
        let joined = Joined {
            room: self.name.to_string(),
            seq: self.seq,
            members: self.members.len(),
            recovered: false,
        };
        connection.outbox.push(wire::message(Kind::JOINED, &joined));
    }

    fn leave(&mut self, id: u64) {
        self.members.remove(&id);
    }

    fn publish(&mut self, from: &Connection, text: String, id: Option<String>) {
        self.seq += 1;
        let room = self.name.to_string();
        let message = Message {
            room,
            seq: self.seq,
            user: from.user().to_owned(),
            text,
            ts: now_ms(),
        };
        self.deliver(&wire::message(Kind::MESSAGE, &message));
        self.tally.messages.inc();
        if let Some(id) = id {
            let ack = payload::Ack {
                id,
                room: message.room,
                seq: message.seq,
            };
            from.outbox.push(wire::message(Kind::ACK, &ack));
        }
    }

    /// Gives a frame to each member; those that take none any more are members no more.
    fn deliver(&mut self, frame: &Bytes) {
        self.members
            .retain(|_, member| member.connection.outbox.push(frame.clone()));
        self.tally.deliveries.inc_by(self.members.len() as u64);
    }

    fn list(&self, to: &Connection) {
        if self.members.len() > MAX_LISTED {
            let refusal = Refusal::new(
                ErrorCode::Forbidden,
                format!("more than {MAX_LISTED} members are not listed"),
            );
            to.outbox.push(refusal.to_wire());
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
            users: Some(users),
        };
        to.outbox.push(wire::message(Kind::MEMBERS, &answer));
    }
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
