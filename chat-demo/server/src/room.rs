//! One room: its members, and its messages in one order for all. Its operations are a strand.

mod catch_up;
mod common;
mod flow;
mod following;
mod page;
mod prepared;
mod replica;
mod search;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod typing;

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use anthill::Strand;
use chat_demo_client::payload::{Message, Payload, Publish};
use chat_demo_client::wire::{Parcel, Shared};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::bus::{AppendError, BusUnavailable, Watch};
use crate::clock;
use crate::connection::Connection;
use crate::epoch::Position;
use crate::error::Refusal;
use crate::history::Log;
use crate::journal::{JournalError, Numbered};
use crate::room::flow::Flow;
use crate::room::source::{Claimed, Joining, Source};
use crate::room::state::State;

pub(crate) use crate::room::common::Common;
pub(crate) use crate::room::search::{Searched, Searching};
pub(crate) use crate::room::state::MAX_LISTED;

/// Where members meet. Operations return when they are in line, not when they are done.
pub(crate) struct Room {
    name: Arc<str>,
    common: Arc<Common>,
    /// The strand. Each operation holds a slot until it is applied, which slows fast publishers.
    strand: Strand,
    state: Mutex<State>,
    /// The number of members here, for readers that must not wait for the state.
    size: AtomicUsize,
    /// The log of the state, for readers of its position.
    log: Arc<Log>,
    /// What holds publishers up while members are behind.
    flow: Arc<Flow>,
    /// Ended memberships that are still in the state.
    departed: Mutex<Vec<u64>>,
}

/// The subscription to the bus; dropping it ends it.
pub(crate) struct Listening {
    pub(crate) room: Arc<Room>,
    _watch: Option<Watch>,
}

impl Listening {
    pub(crate) fn new(room: Arc<Room>) -> Self {
        let listener = Arc::downgrade(&room);
        let bus = room.common.bus.as_ref();
        let watch = bus.map(|bus| bus.watch(Some(&room.name), listener));
        Self {
            room,
            _watch: watch,
        }
    }
}

impl Room {
    pub(crate) fn new(name: Arc<str>, common: Arc<Common>) -> Arc<Self> {
        let history = &common.history;
        let log = match common.bus {
            Some(_) => history.unused_log(&name),
            None => history.log(&name),
        };
        let flow = Arc::new(Flow::new(&common.outbox));
        let state = State::new(name.clone(), log.clone(), common.clone(), flow.clone());
        Arc::new(Self {
            strand: common.fanout.strand(),
            state: Mutex::new(state),
            size: AtomicUsize::new(0),
            log,
            flow,
            departed: Mutex::default(),
            name,
            common,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the connection a member, until the returned membership is dropped. It gets what was
    /// said after the message that it saw last, if all of that is kept and fits into its outbox.
    pub(crate) async fn join(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        claim: Claimed,
        seen: Option<Position>,
    ) -> Result<Membership, Refusal> {
        let membership = Membership {
            room: self.clone(),
            claim: claim.clone(),
            id: connection.id,
            left: false,
            typed: None,
            ongoing: Some(Arc::new(())),
        };
        let bus = self.common.bus.as_ref();
        let (joined, on_join) = bus.map(|_| oneshot::channel()).unzip();
        let joining = Joining {
            claim,
            prepared: self.prepare(&connection, seen).await?,
            members: self.register(&connection).await,
            connection,
            seen,
            joined,
            membership: membership.weak(),
        };
        // It notifies the members, with back-pressure like a message. Taken last, because what a
        // join waits for before must not hold up publishers.
        let credit = self.flow.enter(0).await;
        let join = move |state: &mut State| {
            state.join(joining);
            drop(credit);
        };
        self.send(join).await?;
        if let Some(on_join) = on_join {
            on_join.await.map_err(|_| BusUnavailable)?;
        }
        Ok(membership)
    }

    /// Sends a member the `joined` that it has had already, up to date.
    pub(crate) async fn greet(
        self: &Arc<Self>,
        member: Arc<Connection>,
        seen: Option<Position>,
    ) -> Result<(), Refusal> {
        member.outbox.drained().await;
        let prepared = self.prepare(&member, seen).await?;
        let members = self.register(&member).await;
        let greet = move |state: &mut State| state.greet(&member, seen, members, &prepared);
        self.send(greet).await
    }

    /// How many members there are on all servers, this one among them.
    async fn register(&self, member: &Connection) -> Option<u32> {
        let bus = self.common.bus.as_ref()?;
        bus.enter(&self.name, member).await.ok()
    }

    /// Returns the log, unless it lacks what the bus has because no member has joined here yet.
    pub(crate) async fn current_log(self: &Arc<Self>) -> Option<Arc<Log>> {
        let is_known = self.ask(|state| state.replica.is_known()).await?;
        is_known.then(|| self.log.clone())
    }

    /// Returns the numbers of the connections that are members.
    pub(crate) fn members(&self) -> Vec<u64> {
        self.apply(|state| state.members.keys().copied().collect())
    }

    /// Waits for the members that are behind, each for its patience at most.
    pub(crate) async fn readers(&self) {
        self.flow.readers().await;
    }

    /// Delivers what has no number, of `len` bytes.
    pub(crate) async fn relay<P: Payload + 'static>(
        self: &Arc<Self>,
        payload: Arc<Shared<P>>,
        len: usize,
    ) -> Result<(), Refusal> {
        let credit = self.flow.enter(len).await;
        if let Some(bus) = &self.common.bus {
            let frame = Parcel::new(payload.payload());
            let announced = bus.announce(Some(&self.name), &frame).await;
            if announced.is_ok() || !bus.goes_on_alone() {
                return Ok(announced?);
            }
        }
        let deliver = move |state: &mut State| {
            state.deliver(&*payload, None);
            drop(credit);
        };
        self.send(deliver).await
    }

    /// Numbers, stores and delivers a text, and acknowledges it if it has an `id`. A text with the
    /// `key` of a stored text is acknowledged with its number.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        claim: Claimed,
        from: Arc<Connection>,
        publish: Publish,
    ) -> Result<(), Refusal> {
        let arrived = Instant::now();
        let room = self.clone();
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
            _claim: claim,
        };
        let Common { journal, bus, .. } = &*self.common;
        if let Some(journal) = journal {
            let known = room.log.newest();
            let kept = move |kept: Result<Numbered, JournalError>| match kept {
                Ok(Numbered::New(message, epoch)) => room.send_blocking(move |state| {
                    state.deliver_numbered(&source, epoch, message);
                }),
                // Behind the delivery of the first.
                Ok(Numbered::Before(seq)) => {
                    room.send_blocking(move |state| state.acknowledge(&source, seq));
                }
                Err(error) => source.refuse(error.into(), &room.common.tally),
            };
            return Ok(journal.append(message, key, known, kept).await?);
        }
        match bus {
            Some(bus) if !(bus.goes_on_alone() && room.apply(State::is_alone)) => {
                let kept = move |kept: Result<u64, AppendError>| match kept {
                    // Delivered when the bus announces it.
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

    /// Puts an operation in line once the pool has a slot for it.
    async fn send(
        self: &Arc<Self>,
        op: impl FnOnce(&mut State) + Send + 'static,
    ) -> Result<(), Refusal> {
        let room = self.clone();
        let slot = self.strand.slot().await?;
        slot.submit(move || room.apply(op));
        Ok(())
    }

    /// Puts an operation in line from a thread of its own. Blocks while the pool is full.
    fn send_blocking(self: &Arc<Self>, op: impl FnOnce(&mut State) + Send + 'static) {
        let room = self.clone();
        // Closed: the server ends, and its clients have had a bye.
        let _ = self.strand.submit(move || room.apply(op));
    }

    /// Locks the state for an operation, and ends the memberships that ended meanwhile.
    fn apply<T>(&self, op: impl FnOnce(&mut State) -> T) -> T {
        let result = self.change(&mut self.state.lock(), op);
        self.sweep();
        result
    }

    fn change<T>(&self, state: &mut State, op: impl FnOnce(&mut State) -> T) -> T {
        let result = op(state);
        self.size.store(state.members.len(), Ordering::Relaxed);
        result
    }

    /// Ends a membership at once, or after the current operation. Does not wait: the current
    /// operation may be the caller.
    fn depart(&self, id: u64) {
        self.departed.lock().push(id);
        self.sweep();
    }

    /// If another thread holds the state, that thread sweeps after releasing it, and finds entries
    /// added before.
    fn sweep(&self) {
        while !self.departed.lock().is_empty() {
            let Some(mut state) = self.state.try_lock() else {
                return;
            };
            let departed = mem::take(&mut *self.departed.lock());
            self.change(&mut state, |state| {
                for id in departed {
                    state.leave(id);
                }
            });
        }
    }
}

pub(crate) struct Membership {
    room: Arc<Room>,
    /// What is under way holds one too: the room stays until it has arrived.
    claim: Claimed,
    id: u64,
    left: bool,
    /// When a notice that its user writes something went on last.
    typed: Option<tokio::time::Instant>,
    /// Dropped before the membership ends without its turn, so that a join in line has no effect.
    ongoing: Option<Arc<()>>,
}

impl Membership {
    fn weak(&self) -> Weak<()> {
        self.ongoing.as_ref().map_or_else(Weak::new, Arc::downgrade)
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        publish: Publish,
    ) -> Result<(), Refusal> {
        let claim = self.claim.clone();
        self.room.publish(claim, from, publish).await
    }

    /// Leaves the room in order with its other operations, even if the pool is full.
    pub(crate) async fn leave(mut self) {
        let (id, ongoing) = (self.id, self.ongoing.take());
        let leave = move |state: &mut State| {
            state.leave(id);
            drop(ongoing);
        };
        // Closed: the server ends, and the room with it.
        let _ = self.room.send(leave).await;
        self.left = true;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.ongoing = None;
        let Room { name, common, .. } = &*self.room;
        if let Some(bus) = &common.bus {
            bus.leave(name, self.id);
        }
        if !self.left {
            self.room.depart(self.id);
        }
    }
}
