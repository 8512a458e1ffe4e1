//! One room: who is in it and what was said, in one order for all. Its operations are a strand.

mod state;

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use anthill::{Pool, Strand};
use parking_lot::Mutex;

use crate::clock;
use crate::connection::Connection;
use crate::directory::Claim;
use crate::error::Refusal;
use crate::history::History;
use crate::journal::{Journal, Unkept};
use crate::payload::{ErrorCode, Message, Payload};
use crate::room::state::{Source, State};
use crate::tally::Tally;
use crate::wire::Shared;

/// Where members meet. Operations return when they are in line, not when they are done.
pub(crate) struct Room {
    name: Arc<str>,
    /// Each operation holds a slot of the pool until it is applied: who publishes faster than the pool works is held up.
    strand: Strand,
    inside: Arc<Inside>,
    common: Arc<Common>,
}

/// What all rooms of a server have in common.
pub(crate) struct Common {
    /// Where rooms work.
    pub(crate) fanout: Pool,
    pub(crate) history: History,
    /// Where messages are kept before they are delivered, if they are kept on disk.
    pub(crate) journal: Option<Journal>,
    /// Larger rooms do not tell who comes and goes.
    pub(crate) presence_limit: usize,
    pub(crate) tally: Tally,
}

impl Room {
    pub(crate) fn new(name: Arc<str>, common: Arc<Common>) -> Self {
        Self {
            name: name.clone(),
            strand: common.fanout.strand(),
            inside: Arc::new(Inside {
                state: Mutex::new(State::new(name, common.clone())),
                departed: Mutex::default(),
            }),
            common,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the connection a member, until the returned membership is dropped. It gets what was said after the message
    /// that it saw last, if all of that is known still and fits into its outbox.
    pub(crate) async fn join(
        self: Arc<Self>,
        connection: Arc<Connection>,
        claim: Claim<Self>,
        after: Option<u64>,
    ) -> Result<Membership, Refusal> {
        let membership = Membership {
            room: self,
            claim: Arc::new(claim),
            id: connection.id,
            left: false,
        };
        let claim = membership.claim.clone();
        let join = move |state: &mut State| state.join(connection, claim, after);
        membership.room.send(join).await?;
        Ok(membership)
    }

    /// Sends a member the `joined` that it has had already, up to date.
    pub(crate) async fn greet(
        &self,
        member: Arc<Connection>,
        after: Option<u64>,
    ) -> Result<(), Refusal> {
        self.send(move |state| state.greet(&member, after)).await
    }

    /// Sends again what was said before a message, or lately.
    pub(crate) async fn look_back(
        &self,
        to: Arc<Connection>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(), Refusal> {
        self.send(move |state| state.look_back(&to, before, limit))
            .await
    }

    /// Delivers what has no number.
    pub(crate) async fn relay<P: Payload + 'static>(
        &self,
        payload: Arc<Shared<P>>,
    ) -> Result<(), Refusal> {
        self.send(move |state| state.deliver(&payload)).await
    }

    /// Tells a connection who is here.
    pub(crate) async fn list(&self, to: Arc<Connection>) -> Result<(), Refusal> {
        self.send(move |state| state.list(&to)).await
    }

    /// Delivers a message that has its number, in line with the others. Blocks while the pool is full.
    fn numbered(&self, source: Source, message: Message) {
        let inside = self.inside.clone();
        let deliver = move |state: &mut State| state.deliver_numbered(&source, message);
        // Closed: the server ends, and has told its clients.
        let _ = self.strand.submit(move || inside.apply(deliver));
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
    /// What is under way holds one too: the room stays until it has arrived.
    claim: Arc<Claim<Room>>,
    id: u64,
    left: bool,
}

impl Membership {
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Has a text numbered and delivered, after it was kept where that is to be done; acknowledges it when it has an `id`.
    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        text: String,
        id: Option<String>,
    ) -> Result<(), Refusal> {
        let room = self.room.clone();
        let message = Message {
            room: room.name.to_string(),
            seq: 0,
            user: from.user().to_owned(),
            text,
            ts: clock::now_ms(),
        };
        let source = Source {
            from,
            id,
            arrived: Instant::now(),
            _claim: self.claim.clone(),
        };
        let Some(journal) = &self.room.common.journal else {
            return room
                .send(move |state| state.publish(&source, message))
                .await;
        };
        let kept = move |kept: Result<Message, Unkept>| match kept {
            Ok(message) => room.numbered(source, message),
            Err(unkept) => {
                let refusal = Refusal::from(unkept).with_id(source.id);
                source.from.refuse(&refusal, &room.common.tally);
            }
        };
        Ok(journal.append(message, kept).await?)
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

impl From<Unkept> for Refusal {
    fn from(unkept: Unkept) -> Self {
        Self::new(ErrorCode::Overloaded, unkept.to_string())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::directory::Directory;
    use crate::history::Limits;
    use crate::outbox::{self, Outbox};
    use crate::subprotocol::Subprotocol;

    /// A room with one member, and what its claims were made of.
    struct Fixture {
        rooms: Arc<Directory<Room>>,
        connection: Arc<Connection>,
        membership: Membership,
        fanout: Pool,
    }

    fn common() -> Arc<Common> {
        let history = Limits {
            messages: 0,
            age: Duration::ZERO,
            bytes: 0,
        };
        Arc::new(Common {
            fanout: Pool::builder().capacity(2).build().expect("a pool"),
            history: History::new(history),
            journal: None,
            presence_limit: 0,
            tally: Tally::default(),
        })
    }

    fn fixture() -> Fixture {
        let common = common();
        let fanout = common.fanout.clone();
        let rooms = Arc::new(Directory::new());
        let limits = outbox::Limits {
            frames: 8,
            bytes: 1000,
        };
        let connection = Arc::new(Connection::new(1, Outbox::new(limits, Subprotocol::Json)));
        let (room, claim) = rooms.claim("tea", |name| Room::new(name, common));
        let id = connection.id;
        let inside = room.inside.clone();
        let claim = Arc::new(claim);
        let joined = claim.clone();
        inside.apply(|state| state.join(connection.clone(), joined, None));
        let membership = Membership {
            room,
            claim,
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
            assert_eq!(state.members(), 1);
        });
        assert_eq!(rooms.len(), 0);
    }

    #[test]
    fn who_is_gone_before_it_comes_does_not_become_a_member() {
        let Fixture {
            rooms,
            connection,
            membership,
            ..
        } = fixture();
        let inside = membership.room.inside.clone();
        connection.outbox.abandon();
        drop(membership);
        let (_, claim) = rooms.claim("tea", |name| Room::new(name, common()));
        inside.apply(|state| state.join(connection, Arc::new(claim), None));
        assert_eq!(inside.state.lock().members(), 0);
        assert_eq!(rooms.len(), 0);
    }
}
