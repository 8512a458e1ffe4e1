//! One room: who is in it and what was said, in one order for all. Its operations are a strand.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anthill::{Pool, Strand};
use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::connection::Connection;
use crate::directory::Claim;
use crate::error::Refusal;
use crate::frame::Kind;
use crate::payload::{self, ErrorCode, Joined, Message};
use crate::wire;

/// Larger rooms do not list their members: the answer to one would cost more than a thousand messages.
const MAX_LISTED: usize = 1000;

/// Where members meet. Operations return when they are in line, not when they are done.
pub(crate) struct Room {
    name: Arc<str>,
    /// Each operation holds a slot of the pool until it is applied: who publishes faster than the pool works is held up.
    strand: Strand,
    inside: Arc<Inside>,
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
    pub(crate) fn new(name: Arc<str>, fanout: &Pool, tally: Tally) -> Self {
        let state = State {
            name: name.clone(),
            seq: 0,
            members: HashMap::new(),
            tally,
        };
        Self {
            name,
            strand: fanout.strand(),
            inside: Arc::new(Inside {
                state: Mutex::new(state),
                departed: Mutex::default(),
            }),
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
    ) -> Result<Membership, Refusal> {
        let membership = Membership {
            room: self,
            id: connection.id,
            left: false,
        };
        let join = move |state: &mut State| state.join(connection, claim);
        membership.room.send(join).await?;
        Ok(membership)
    }

    /// Sends a member the `joined` that it has had already, up to date.
    pub(crate) async fn greet(&self, member: Arc<Connection>) -> Result<(), Refusal> {
        self.send(move |state| state.greet(&member)).await
    }

    /// Numbers a text and delivers it; acknowledges it when it has an `id`.
    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        text: String,
        id: Option<String>,
    ) -> Result<(), Refusal> {
        self.send(move |state| state.publish(&from, text, id)).await
    }

    /// Delivers a frame without a number.
    pub(crate) async fn relay(&self, frame: Bytes) -> Result<(), Refusal> {
        self.send(move |state| state.deliver(&frame)).await
    }

    /// Tells a connection who is here.
    pub(crate) async fn list(&self, to: Arc<Connection>) -> Result<(), Refusal> {
        self.send(move |state| state.list(&to)).await
    }

    /// Puts an operation in line once the pool has a slot for it.
    async fn send(&self, op: impl FnOnce(&mut State) + Send + 'static) -> Result<(), Refusal> {
        let inside = self.inside.clone();
        self.strand.submit_async(move || inside.apply(op)).await?;
        Ok(())
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
        let id = self.id;
        let leave = move |state: &mut State| state.leave(id);
        // Closed: the server ends, and the room with it.
        let _ = self.room.send(leave).await;
        self.left = true;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if !self.left {
            self.room.inside.depart(self.id);
        }
    }
}

/// The state, and the way to it of those that cannot wait in line.
struct Inside {
    state: Mutex<State>,
    /// Connections that are gone, and members until somebody has the state.
    departed: Mutex<Vec<u64>>,
}

impl Inside {
    fn apply(&self, op: impl FnOnce(&mut State)) {
        op(&mut self.state.lock());
        self.sweep();
    }

    /// Ends a membership at once, or right after the operation that is being applied. Waits for nobody: it may be called
    /// in that very operation.
    fn depart(&self, id: u64) {
        self.departed.lock().push(id);
        self.sweep();
    }

    /// Who has the state meanwhile sweeps when it has let go of it, and finds what was noted before.
    fn sweep(&self) {
        while !self.departed.lock().is_empty() {
            let Some(mut state) = self.state.try_lock() else {
                return;
            };
            let departed = mem::take(&mut *self.departed.lock());
            for id in departed {
                state.leave(id);
            }
        }
    }
}

/// The room's state, touched by its strand, and by `sweep`.
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

impl State {
    fn join(&mut self, connection: Arc<Connection>, claim: Claim<Room>) {
        if connection.outbox.ended().is_some() {
            // It has departed already, maybe before it came.
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;
    use crate::outbox::{Limits, Outbox};

    /// A room with one member, and what its claims were made of.
    struct Fixture {
        rooms: Arc<Directory<Room>>,
        connection: Arc<Connection>,
        membership: Membership,
        fanout: Pool,
    }

    fn fixture() -> Fixture {
        let fanout = Pool::builder().capacity(2).build().expect("a pool");
        let rooms = Arc::new(Directory::new());
        let limits = Limits {
            frames: 8,
            bytes: 1000,
        };
        let connection = Arc::new(Connection::new(1, Outbox::new(limits)));
        let (room, claim) = rooms.claim("tea", |name| Room::new(name, &fanout, Tally::default()));
        let id = connection.id;
        let inside = room.inside.clone();
        inside.apply(|state| state.join(connection.clone(), claim));
        let membership = Membership {
            room,
            id,
            left: false,
        };
        Fixture {
            rooms,
            connection,
            membership,
            fanout,
        }
    }

    #[test]
    fn a_membership_that_is_dropped_ends_at_once_though_the_pool_is_full() {
        let Fixture {
            rooms,
            membership,
            fanout,
            ..
        } = fixture();
        let _all = [fanout.try_slot(), fanout.try_slot()].map(|slot| slot.expect("it is free"));
        drop(membership);
        assert_eq!(rooms.len(), 0);
    }

    #[test]
    fn a_membership_that_is_dropped_within_an_operation_ends_after_it() {
        let Fixture {
            rooms, membership, ..
        } = fixture();
        let inside = membership.room.inside.clone();
        inside.apply(|state| {
            drop(membership);
            assert_eq!(state.members.len(), 1);
        });
        assert_eq!(rooms.len(), 0);
    }

    #[test]
    fn who_is_gone_before_it_comes_does_not_become_a_member() {
        let Fixture {
            rooms,
            connection,
            membership,
            fanout,
        } = fixture();
        let inside = membership.room.inside.clone();
        connection.outbox.abandon();
        drop(membership);
        let (_, claim) = rooms.claim("tea", |name| Room::new(name, &fanout, Tally::default()));
        inside.apply(|state| state.join(connection, claim));
        assert!(inside.state.lock().members.is_empty());
        assert_eq!(rooms.len(), 0);
    }
}
