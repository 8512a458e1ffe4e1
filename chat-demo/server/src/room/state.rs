//! The state of a room, and its operations.

use std::collections::HashMap;
use std::sync::Arc;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{Joined, Message, Presence, PresenceEvent};
use chat_demo_client::subprotocol::{self, Subprotocol};
use chat_demo_client::wire::{self, Delivery, Shared};

use super::common::Common;
use super::flow::Flow;
use super::prepared::Prepared;
use super::replica::Replica;
use super::source::{Claimed, Joining, Source};
use crate::connection::Connection;
use crate::epoch::{Epoch, Position};
use crate::history::Log;
use crate::outbox::{Outbox, Pushed};

/// Larger rooms do not list their members: the answer to one would cost more than a thousand
/// messages.
pub(crate) const MAX_LISTED: usize = 1000;

/// Shared by the room's strand and by members that leave.
pub(super) struct State {
    name: Arc<str>,
    pub(super) members: HashMap<u64, Member>,
    /// Assigns the numbers without a bus; outlives the room.
    pub(super) log: Arc<Log>,
    /// How the log stands to what the bus has.
    pub(super) replica: Replica,
    pub(super) common: Arc<Common>,
    pub(super) flow: Arc<Flow>,
}

pub(super) struct Member {
    pub(super) connection: Arc<Connection>,
    /// Keeps the room in the hub.
    _claim: Claimed,
}

impl State {
    pub(super) fn new(name: Arc<str>, log: Arc<Log>, common: Arc<Common>, flow: Arc<Flow>) -> Self {
        Self {
            log,
            replica: Replica::new(common.bus.is_some()),
            name,
            members: HashMap::new(),
            common,
            flow,
        }
    }

    #[cfg(test)]
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    pub(super) fn join(&mut self, joining: Joining) {
        if joining.connection.outbox.ended().is_some() || joining.membership.strong_count() == 0 {
            // It has departed already, maybe before it came.
            return;
        }
        let Some(joining) = self.ready_for(joining) else {
            return;
        };
        let (connection, seen) = (joining.connection, joining.seen);
        self.send_presence(connection.user(), PresenceEvent::Joined);
        let member = Member {
            connection: connection.clone(),
            _claim: joining.claim,
        };
        self.members.insert(connection.id, member);
        self.greet(&connection, seen, joining.members, &joining.prepared);
        if let Some(joined) = joining.joined {
            // The client may have given up meanwhile, and leaves.
            let _ = joined.send(());
        }
    }

    fn joined(&self, recovered: bool, members: Option<u32>) -> Joined {
        let Position { epoch, seq } = self.log.newest();
        // The members here, unless it is known how many are on all servers.
        let here = || u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        Joined {
            room: self.name.to_string(),
            seq,
            members: members.unwrap_or_else(here),
            recovered,
            epoch: epoch.to_string(),
        }
    }

    pub(super) fn greet(
        &self,
        connection: &Connection,
        seen: Option<Position>,
        members: Option<u32>,
        prepared: &Prepared,
    ) {
        let mut joined = self.joined(true, members);
        let outbox = &connection.outbox;
        if let Some(missed) = seen.and_then(|seen| self.log.after(seen))
            && let Some(missed) = prepared.complete(missed, outbox)
        {
            let count = missed.len();
            let mut frames = vec![wire::message(&joined, outbox.subprotocol())];
            frames.extend(missed);
            if outbox.offer(frames) {
                let frames_out = &self.common.tally.frames_out;
                frames_out.inc(Kind::JOINED);
                frames_out.inc_by(Kind::MESSAGE, count);
                return;
            }
        }
        joined.recovered = false;
        connection.send(&joined, &self.common.tally);
    }

    /// Sends each member where the room stands now: what it has seen is not what the room has any
    /// more. `members` is how many there are on all servers, if that is known.
    pub(super) fn begin_anew(&mut self, members: Option<u32>) {
        let joined = self.joined(false, members);
        self.deliver(&Shared::new(joined), None);
    }

    pub(super) fn leave(&mut self, id: u64) {
        let waiting = &mut self.replica.waiting;
        waiting.retain(|joining| joining.connection.id != id);
        if let Some(member) = self.members.remove(&id) {
            self.send_presence(member.connection.user(), PresenceEvent::Left);
        }
    }

    pub(super) fn goes_on_alone(&self) -> bool {
        let bus = self.common.bus.as_ref();
        bus.is_some_and(|bus| bus.goes_on_alone())
    }

    /// Numbers a message, keeps it in the log, and delivers it; or acknowledges the kept one with
    /// the same key.
    pub(super) fn publish(&mut self, source: &Source, key: Option<Arc<str>>, mut message: Message) {
        if let Some(seq) = key.as_deref().and_then(|key| self.log.find(key)) {
            return self.acknowledge(source, seq);
        }
        let user = message.user.clone();
        let (seq, message) = self.log.append(&user, key, |seq| {
            message.seq = seq;
            let message = Shared::new(message);
            (message.encoded(Subprotocol::Json).clone(), message)
        });
        self.deliver(&message, None);
        source.delivered(&self.name, seq, &self.common.tally);
    }

    /// Keeps a message in the log that has its number, and delivers it. If the number does not
    /// follow, its epoch is begun first.
    pub(super) fn deliver_numbered(&mut self, source: &Source, epoch: Epoch, message: Message) {
        let (seq, newest) = (message.seq, self.log.newest());
        if newest.epoch != epoch {
            let seq = seq - 1;
            self.log
                .begin_at(Position { epoch, seq }, std::iter::empty());
            self.begin_anew(None);
        }
        self.next(message);
        source.delivered(&self.name, seq, &self.common.tally);
    }

    pub(super) fn acknowledge(&self, source: &Source, seq: u64) {
        source.acknowledge(&self.name, seq, &self.common.tally);
    }

    pub(super) fn next(&mut self, mut message: Message) {
        subprotocol::shorten(&mut message.text, self.common.outbox.longest_text());
        let seq = message.seq;
        let message = Shared::new(message);
        let frame = message.encoded(Subprotocol::Json).clone();
        self.log.push(seq, &message.payload().user, frame);
        self.deliver(&message, None);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn outboxes(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        let members = self.members.values();
        members.map(|member| &member.connection.outbox)
    }

    /// Returns the outbox of a member that is behind and has patience left.
    pub(super) fn slow_member(&self) -> Option<Arc<Outbox>> {
        let slow = self.outboxes().find(|outbox| outbox.is_waited_for());
        slow.cloned()
    }

    /// Queues a payload for each member except `user`. A member whose outbox takes no more frames
    /// leaves the room.
    pub(super) fn deliver(&mut self, payload: &impl Delivery, except: Option<&str>) {
        let mut gone = self.queue_for_all(payload, except);
        // Not by recursion, because all members may be gone at once.
        while let Some(member) = gone.pop() {
            let user = member.connection.user();
            if let Some(left) = self.presence(user, PresenceEvent::Left)
                && !gone.iter().any(|other| other.connection.user() == user)
            {
                gone.extend(self.queue_for_all(&left, None));
            }
        }
    }

    /// Queues a payload for each member except `user`. Removes and returns the members whose outbox
    /// takes no more frames.
    fn queue_for_all(&mut self, payload: &impl Delivery, except: Option<&str>) -> Vec<Member> {
        let (mut gone, mut behind) = (Vec::new(), Vec::new());
        let mut queued = 0;
        for (id, member) in &self.members {
            if except.is_some_and(|user| user == member.connection.user()) {
                continue;
            }
            let outbox = &member.connection.outbox;
            match outbox.push(payload.encoded(outbox.subprotocol()).clone()) {
                Pushed::Queued => queued += 1,
                Pushed::Behind => {
                    queued += 1;
                    behind.push(outbox.clone());
                }
                Pushed::Refused => gone.push(*id),
            }
        }
        self.flow.note(behind);
        self.common.tally.deliveries.inc_by(queued as u64);
        self.common.tally.frames_out.inc_by(payload.kind(), queued);
        let gone = gone.into_iter();
        gone.filter_map(|id| self.members.remove(&id)).collect()
    }

    /// Those in the room, or nothing if they are too many.
    pub(super) fn connections(&self) -> Option<Vec<Arc<Connection>>> {
        let few = self.members.len() <= MAX_LISTED;
        let members = self.members.values();
        few.then(|| members.map(|member| member.connection.clone()).collect())
    }

    /// Sends the presence of a user, as announced by the bus, to the members.
    pub(super) fn deliver_presence(&mut self, presence: Presence) {
        let presence = Shared::new(presence);
        self.deliver(&presence, Some(&presence.payload().user));
    }

    /// Sends the presence of a user to the members, if it concerns them.
    fn send_presence(&mut self, user: &str, event: PresenceEvent) {
        if let Some(presence) = self.presence(user, event) {
            self.deliver(&presence, None);
        }
    }

    /// Returns what to send to the members: only for a user's first and last connection.
    fn presence(&self, user: &str, event: PresenceEvent) -> Option<Shared<Presence>> {
        let mut members = self.members.values();
        // The bus knows the first and the last connection over all servers.
        if self.common.bus.is_some()
            || self.members.len() > self.common.presence_limit
            || members.any(|member| member.connection.user() == user)
        {
            return None;
        }
        Some(Shared::new(Presence {
            room: self.name.to_string(),
            user: user.to_owned(),
            event: event.into(),
        }))
    }
}
