//! One room: who is in it and what was said, in one order for all. Its operations are a strand.

mod catch_up;
mod flow;
mod inside;
mod page;
mod replica;
mod state;

use std::sync::Arc;
use std::time::Instant;

use anthill::Pool;
use chat_demo_client::payload::{Message, Payload, Publish};
use chat_demo_client::wire::Shared;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::bus::{AppendError, Away, Bus, Heard, Watch};
use crate::clock;
use crate::connection::Connection;
use crate::directory::Claim;
use crate::epoch::Position;
use crate::error::Refusal;
use crate::history::History;
use crate::journal::{Journal, JournalError, Numbered};
use crate::outbox;
use crate::room::flow::Flow;
use crate::room::inside::Inside;
use crate::room::state::{Newcomer, Source, State};
use crate::tally::Tally;

pub(crate) use crate::room::state::MAX_LISTED;

/// Where members meet. Operations return when they are in line, not when they are done.
pub(crate) struct Room {
    inside: Arc<Inside>,
    /// Keeps its ear on the bus.
    _watch: Option<Watch>,
}

/// What all rooms of a server have in common.
pub(crate) struct Common {
    /// Where rooms work.
    pub(crate) fanout: Pool,
    /// Where pages of history and lists of members are encoded, after more urgent work.
    pub(crate) pages: Pool,
    /// What a member's outbox holds.
    pub(crate) outbox: outbox::Limits,
    pub(crate) history: History,
    /// Where messages are kept before they are delivered, if they are kept on disk.
    pub(crate) journal: Option<Journal>,
    /// What this server shares its rooms by, if it does.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    /// Larger rooms do not tell who comes and goes.
    pub(crate) presence_limit: usize,
    pub(crate) tally: Tally,
}

impl Room {
    pub(crate) fn new(name: Arc<str>, common: Arc<Common>) -> Self {
        let log = common.history.log(&name);
        let flow = Arc::new(Flow::new(&common.outbox));
        let state = State::new(name.clone(), log.clone(), common.clone(), flow.clone());
        let inside = Arc::new(Inside {
            strand: common.fanout.strand(),
            state: Mutex::new(state),
            log,
            flow,
            departed: Mutex::default(),
            name,
            common,
        });
        let ear = Arc::downgrade(&inside);
        let bus = inside.common.bus.as_ref();
        let watch = bus.map(|bus| bus.watch(Some(&inside.name), ear));
        Self {
            inside,
            _watch: watch,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.inside.name
    }

    /// Makes the connection a member, until the returned membership is dropped. It gets what was said after the message
    /// that it saw last, if all of that is kept and fits into its outbox.
    pub(crate) async fn join(
        self: Arc<Self>,
        connection: Arc<Connection>,
        claim: Claim<Self>,
        seen: Option<Position>,
    ) -> Result<Membership, Refusal> {
        let membership = Membership {
            room: self,
            claim: Arc::new(claim),
            id: connection.id,
            left: false,
        };
        let inside = &membership.room.inside;
        let (tell, told) = inside
            .common
            .bus
            .as_ref()
            .map(|_| oneshot::channel())
            .unzip();
        // The others are told: it is a message like any other.
        let credit = inside.flow.enter(0).await;
        let newcomer = Newcomer {
            claim: membership.claim.clone(),
            prepared: inside.prepare(&connection, seen).await?,
            members: inside.put_down(&connection).await,
            connection,
            seen,
            told: tell,
        };
        let join = move |state: &mut State| {
            state.join(newcomer);
            drop(credit);
        };
        inside.send(join).await?;
        if let Some(told) = told {
            told.await.map_err(|_| Away)?;
        }
        Ok(membership)
    }

    /// Sends a member the `joined` that it has had already, up to date.
    pub(crate) async fn greet(
        &self,
        member: Arc<Connection>,
        seen: Option<Position>,
    ) -> Result<(), Refusal> {
        member.outbox.drained().await;
        let prepared = self.inside.prepare(&member, seen).await?;
        let members = self.inside.put_down(&member).await;
        let greet = move |state: &mut State| state.greet(&member, seen, members, &prepared);
        self.inside.send(greet).await
    }

    /// Waits for the members that are behind, each for its patience at most.
    pub(crate) async fn readers(&self) {
        self.inside.flow.readers().await;
    }

    /// Delivers what has no number, of `len` bytes.
    pub(crate) async fn relay<P: Payload + Clone + Into<Heard> + 'static>(
        &self,
        payload: Arc<Shared<P>>,
        len: usize,
    ) -> Result<(), Refusal> {
        let credit = self.inside.flow.enter(len).await;
        if let Some(bus) = &self.inside.common.bus {
            let heard = payload.payload().clone().into();
            let announced = bus.announce(Some(self.name()), heard).await;
            if announced.is_ok() || !bus.goes_on_alone() {
                return Ok(announced?);
            }
        }
        let deliver = move |state: &mut State| {
            state.deliver(&payload);
            drop(credit);
        };
        self.inside.send(deliver).await
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

    /// Has a text numbered and delivered, after it was kept where that is to be done; acknowledges it when it has an
    /// `id`. A text with the `key` of one that is kept is acknowledged as that.
    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        publish: Publish,
    ) -> Result<(), Refusal> {
        let arrived = Instant::now();
        let room = self.room.inside.clone();
        let credit = room.flow.enter(publish.text.len()).await;
        let message = Message {
            room: room.name.to_string(),
            seq: 0,
            user: from.user().to_owned(),
            text: publish.text,
            ts: clock::now_ms(),
        };
        // A name has no control characters, so that no other user has the same key.
        let key = publish.key.map(|key| format!("{}\n{key}", message.user));
        let source = Source {
            id: publish.id,
            arrived,
            _owed: from.outbox.owe(),
            from,
            _credit: credit,
            _claim: self.claim.clone(),
        };
        let Common { journal, bus, .. } = &*self.room.inside.common;
        if let Some(journal) = journal {
            let known = room.log.newest();
            let kept = move |kept: Result<Numbered, JournalError>| match kept {
                Ok(Numbered::New(message, epoch)) => room.numbered(source, epoch, message),
                Ok(Numbered::Before(seq)) => room.repeated(source, seq),
                Err(error) => source.refuse(error.into(), &room.common.tally),
            };
            return Ok(journal.append(message, key, known, kept).await?);
        }
        match bus {
            Some(bus) if !(bus.goes_on_alone() && room.is_alone()) => {
                let kept = move |kept: Result<u64, AppendError>| match kept {
                    // It is delivered when it is heard.
                    Ok(seq) => source.delivered(&room.name, seq, &room.common.tally),
                    Err(error) => source.refuse(error.into(), &room.common.tally),
                };
                Ok(bus.append(message, key, Box::new(kept)).await?)
            }
            _ => {
                let key = key.map(Arc::from);
                room.send(move |state| state.publish_here(source, key, message))
                    .await
            }
        }
    }

    /// Leaves in line with the other operations, even when the pool is full.
    pub(crate) async fn leave(mut self) {
        let id = self.id;
        let leave = move |state: &mut State| state.leave(id);
        // Closed: the server ends, and the room with it.
        let _ = self.room.inside.send(leave).await;
        self.left = true;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Inside { name, common, .. } = &*self.room.inside;
        if let Some(bus) = &common.bus {
            bus.leave(name, self.id);
        }
        if !self.left {
            self.room.inside.depart(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::directory::Directory;
    use crate::history::Limits;
    use crate::outbox::Outbox;
    use crate::room::page::Prepared;
    use chat_demo_client::subprotocol::Subprotocol;

    const LIMITS: outbox::Limits = outbox::Limits {
        frames: 8,
        bytes: 1000,
        patience: Duration::ZERO,
    };

    /// A room with one member, and what its claims were made of.
    struct Fixture {
        rooms: Arc<Directory<Room>>,
        connection: Arc<Connection>,
        membership: Membership,
        fanout: Pool,
    }

    fn newcomer(connection: &Arc<Connection>, claim: Arc<Claim<Room>>) -> Newcomer {
        Newcomer {
            connection: connection.clone(),
            claim,
            seen: None,
            prepared: Prepared::default(),
            members: None,
            told: None,
        }
    }

    fn common() -> Arc<Common> {
        let history = Limits {
            messages: 0,
            age: Duration::ZERO,
            bytes: 0,
            room_bytes: 0,
            user_bytes: 0,
            rooms: 0,
        };
        Arc::new(Common {
            fanout: Pool::builder().capacity(2).build().expect("a pool"),
            pages: Pool::builder().capacity(1).build().expect("a pool"),
            outbox: LIMITS,
            history: History::new(history),
            journal: None,
            bus: None,
            presence_limit: 0,
            tally: Tally::default(),
        })
    }

    fn fixture() -> Fixture {
        let common = common();
        let fanout = common.fanout.clone();
        let rooms = Arc::new(Directory::new());
        let connection = Arc::new(Connection::new(1, Outbox::new(LIMITS, Subprotocol::Json)));
        let (room, claim) = rooms.claim("tea", |name| Room::new(name, common));
        let id = connection.id;
        let inside = room.inside.clone();
        let claim = Arc::new(claim);
        let joined = claim.clone();
        inside.apply(|state| state.join(newcomer(&connection, joined)));
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
        inside.apply(|state| state.join(newcomer(&connection, Arc::new(claim))));
        assert_eq!(inside.state.lock().members(), 0);
        assert_eq!(rooms.len(), 0);
    }
}
