//! All connections, and all rooms by name.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use chat_demo_client::payload::{Alert, Publish, Search};
use chat_demo_client::wire::{Delivery, Parcel, Shared};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::bus::{BusEvent, BusListener, Watch};
use crate::connection::Connection;
use crate::directory::{Claim, Directory};
use crate::epoch::Position;
use crate::error::{CloseReason, Refusal};
use crate::history::History;
use crate::journal::Journal;
use crate::outbox::Waiting;
use crate::room::{Common, Listening, Membership, Room, Searched, Searching};

pub(crate) struct Hub {
    /// Not held while frames are queued: a broadcast must not block connects.
    connections: Mutex<Connections>,
    rooms: Arc<Directory<Listening>>,
    common: Arc<Common>,
    /// Keeps its listener on the bus.
    watch: OnceLock<Watch>,
}

#[derive(Default)]
struct Connections {
    open: HashMap<u64, Arc<Connection>>,
    /// Set once by `end_all`: later connections are closed at once.
    ended: Option<CloseReason>,
}

/// What waits for clients.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outboxes {
    /// In all outboxes together.
    pub(crate) all: Waiting,
    /// In the fullest, by frames and by bytes.
    pub(crate) most: Waiting,
}

/// Keeps a connection in the hub until dropped.
pub(crate) struct Registration {
    hub: Arc<Hub>,
    id: u64,
}

impl Hub {
    pub(crate) fn new(common: Common) -> Arc<Self> {
        let hub = Arc::new(Self {
            connections: Mutex::default(),
            rooms: Arc::new(Directory::new()),
            common: Arc::new(common),
            watch: OnceLock::new(),
        });
        if let Some(bus) = &hub.common.bus {
            let listener = Arc::downgrade(&hub);
            hub.watch.get_or_init(|| bus.watch(None, listener));
        }
        hub
    }

    /// Subscribes the connection to broadcasts.
    pub(crate) fn register(self: &Arc<Self>, connection: Arc<Connection>) -> Registration {
        let id = connection.id;
        let mut connections = self.connections.lock();
        if let Some(reason) = connections.ended {
            connection.outbox.end(reason);
        }
        connections.open.insert(id, connection);
        let hub = self.clone();
        Registration { hub, id }
    }

    /// Broadcasts a frame to every client that has sent a hello, on all servers.
    pub(crate) async fn alert(self: &Arc<Self>, alert: Alert) -> Result<(), Refusal> {
        if let Some(bus) = &self.common.bus {
            let announced = bus.announce(None, &Parcel::new(&alert)).await;
            if announced.is_ok() || !bus.goes_on_alone() {
                return Ok(announced?);
            }
        }
        self.send_to_all(Shared::new(alert)).await
    }

    /// Queues a frame for each client that was welcomed, in a task that takes as long as there are
    /// connections.
    async fn send_to_all(
        self: &Arc<Self>,
        frame: impl Delivery + Send + 'static,
    ) -> Result<(), Refusal> {
        let hub = self.clone();
        let slot = self.common.fanout.slot().await?;
        slot.submit(move || {
            hub.broadcast(&frame, Connection::is_welcome);
        });
        Ok(())
    }

    /// Queues a frame for every connection that `to` selects; returns for how many.
    pub(crate) fn broadcast(
        &self,
        frame: &impl Delivery,
        to: impl Fn(&Connection) -> bool,
    ) -> usize {
        let queued = self
            .all()
            .iter()
            .filter(|connection| to(connection))
            .map(|connection| &connection.outbox)
            .map(|outbox| outbox.push(frame.encoded(outbox.subprotocol()).clone()))
            .filter(|pushed| pushed.is_queued())
            .count();
        self.common.tally.frames_out.inc_by(frame.kind(), queued);
        queued
    }

    /// Ends every connection, those to come included.
    pub(crate) fn end_all(&self, reason: CloseReason) {
        self.connections.lock().ended = Some(reason);
        for connection in self.all() {
            connection.outbox.end(reason);
        }
    }

    /// Makes the connection a member of the room of that name, which is made if there is none.
    pub(crate) async fn join(
        &self,
        name: &str,
        connection: Arc<Connection>,
        seen: Option<Position>,
    ) -> Result<Membership, Refusal> {
        let (listening, claim) = self.claim(name);
        let room = &listening.room;
        room.join(connection, Arc::new(claim), seen).await
    }

    /// Publishes a text in a room, of which the publisher need not be a member.
    pub(crate) async fn publish(
        &self,
        from: Arc<Connection>,
        publish: Publish,
    ) -> Result<(), Refusal> {
        let (listening, claim) = self.claim(&publish.room);
        let room = &listening.room;
        room.publish(Arc::new(claim), from, publish).await
    }

    /// Searches the history of a room, for a client that need not be a member. Makes no room.
    pub(crate) async fn search(
        &self,
        to: Arc<Connection>,
        search: Search,
        deadline: Instant,
    ) -> Result<Searching, Refusal> {
        let current = match self.rooms.get(&search.room) {
            Some(listening) => listening.room.current_log().await,
            None => None,
        };
        let searched = match current {
            Some(log) => Searched::Log(log),
            None => self.common.stored(&search.room).await?,
        };
        self.common.search(searched, to, search, deadline)
    }

    /// The room of that name, which is made if there is none.
    fn claim(&self, name: &str) -> (Arc<Listening>, Claim<Listening>) {
        let make = |name| Listening::new(Room::new(name, self.common.clone()));
        self.rooms.claim(name, make)
    }

    /// Ends the connections of a user; returns how many.
    pub(crate) fn disconnect(&self, user: &str) -> usize {
        let mut all = self.all();
        all.retain(|connection| connection.user() == user && connection.outbox.ended().is_none());
        for connection in &all {
            connection.outbox.end(CloseReason::Disconnected);
        }
        all.len()
    }

    /// Returns the connections, and the rooms that each is in. Looks at every member of every room.
    pub(crate) fn list(&self) -> Vec<(Arc<Connection>, Vec<String>)> {
        let mut rooms: HashMap<u64, Vec<String>> = HashMap::new();
        for listening in self.rooms.all() {
            for member in listening.room.members() {
                let room = listening.room.name().to_owned();
                rooms.entry(member).or_default().push(room);
            }
        }
        let with_rooms = |connection: Arc<Connection>| {
            let rooms = rooms.remove(&connection.id).unwrap_or_default();
            (connection, rooms)
        };
        self.all().into_iter().map(with_rooms).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().open.len()
    }

    pub(crate) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Returns the waiting frames of all clients. Reads each outbox, so that pushing costs nothing.
    pub(crate) fn outboxes(&self) -> Outboxes {
        let mut outboxes = Outboxes::default();
        for connection in self.all() {
            let Waiting { frames, bytes } = connection.outbox.waiting();
            let Outboxes { all, most } = &mut outboxes;
            all.frames += frames;
            all.bytes += bytes;
            most.frames = most.frames.max(frames);
            most.bytes = most.bytes.max(bytes);
        }
        outboxes
    }

    pub(crate) fn history(&self) -> &History {
        &self.common.history
    }

    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.common.journal.as_ref()
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.connections.lock().open.values().cloned().collect()
    }
}

impl BusListener for Hub {
    fn on_event(self: Arc<Self>, event: BusEvent) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let BusEvent::Frame(frame) = event {
                // Closed: the server ends.
                let _ = self.send_to_all(frame).await;
            }
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.connections.lock().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anthill::Pool;

    use super::*;
    use crate::history;
    use crate::outbox::{Ended, Limits, Outbox};
    use crate::tally::Tally;
    use chat_demo_client::payload::Alert;
    use chat_demo_client::subprotocol::Subprotocol;

    const LIMITS: Limits = Limits {
        frames: 2,
        bytes: 1000,
        patience: Duration::ZERO,
    };

    fn hub() -> Arc<Hub> {
        Hub::new(Common {
            fanout: Pool::builder().capacity(8).build().expect("a pool"),
            pages: Pool::builder().capacity(1).build().expect("a pool"),
            searches: Pool::builder().capacity(1).build().expect("a pool"),
            outbox: LIMITS,
            history: History::new(history::Limits {
                messages: 0,
                age: Duration::ZERO,
                bytes: 0,
                room_bytes: 0,
                user_bytes: 0,
                rooms: 0,
            }),
            journal: None,
            bus: None,
            presence_limit: 0,
            tally: Tally::default(),
        })
    }

    fn alert() -> Shared<Alert> {
        Shared::new(Alert::default())
    }

    fn connection(id: u64) -> Arc<Connection> {
        Arc::new(Connection::new(id, Outbox::new(LIMITS, Subprotocol::Json)))
    }

    #[test]
    fn a_broadcast_reaches_all_that_are_registered() {
        let hub = hub();
        let connections: Vec<_> = (0..3).map(connection).collect();
        let mut registrations: Vec<_> = connections
            .iter()
            .map(|one| hub.register(one.clone()))
            .collect();
        assert_eq!(hub.broadcast(&alert(), |_| true), 3);
        registrations.pop();
        assert_eq!(hub.broadcast(&alert(), |_| true), 2);
        assert_eq!(hub.connections(), 2);
        assert_eq!(hub.common.tally.frames_out.sum(), 3 + 2);
    }

    #[test]
    fn a_broadcast_evicts_only_full_outboxes() {
        let hub = hub();
        let (full, free) = (connection(1), connection(2));
        let _registrations = [hub.register(full.clone()), hub.register(free.clone())];
        for frame in ["one", "two"] {
            assert!(full.outbox.push(frame.into()).is_queued());
        }
        assert_eq!(hub.broadcast(&alert(), |_| true), 1);
        assert_eq!(
            full.outbox.ended(),
            Some(Ended::ByServer(CloseReason::SlowConsumer))
        );
        assert_eq!(free.outbox.ended(), None);
    }

    #[test]
    fn waiting_frames_are_counted_in_total_and_at_most() {
        let hub = hub();
        assert_eq!(hub.outboxes(), Outboxes::default());
        let (few, many) = (connection(1), connection(2));
        let _registrations = [hub.register(few.clone()), hub.register(many.clone())];
        let _empty: Vec<_> = (3..20).map(|id| hub.register(connection(id))).collect();
        assert!(few.outbox.push("seven..".into()).is_queued());
        for frame in ["one", "two"] {
            assert!(many.outbox.push(frame.into()).is_queued());
        }
        let waiting = |frames, bytes| Waiting { frames, bytes };
        let outboxes = Outboxes {
            all: waiting(3, 13),
            most: waiting(2, 7),
        };
        assert_eq!(hub.outboxes(), outboxes);
    }

    #[test]
    fn who_comes_after_the_end_is_sent_away() {
        let hub = hub();
        let (early, late) = (connection(1), connection(2));
        let _early = hub.register(early.clone());
        hub.end_all(CloseReason::Restart);
        let _late = hub.register(late.clone());
        for connection in [early, late] {
            assert_eq!(
                connection.outbox.ended(),
                Some(Ended::ByServer(CloseReason::Restart))
            );
        }
    }
}
