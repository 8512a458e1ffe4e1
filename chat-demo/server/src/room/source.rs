//! The clients that join a room, and the source of its messages.

use std::sync::{Arc, Weak};
use std::time::Instant;

use chat_demo_client::payload;
use tokio::sync::oneshot;

use super::flow::Credit;
use super::prepared::Prepared;
use crate::connection::Connection;
use crate::epoch::Position;
use crate::error::Refusal;
use crate::outbox::Owed;
use crate::tally::Tally;

/// Keeps a room in its directory until dropped.
pub(super) type Claimed = Arc<dyn Send + Sync>;

/// A connection that joins the room.
pub(super) struct Joining {
    pub(super) connection: Arc<Connection>,
    pub(super) claim: Claimed,
    /// The last message that it saw.
    pub(super) seen: Option<Position>,
    /// What was missed, as far as it was encoded before.
    pub(super) prepared: Prepared,
    /// How many members there are on all servers, if that is known.
    pub(super) members: Option<u32>,
    /// Notified once it is a member, where that may take a while; dropped if it becomes none.
    pub(super) joined: Option<oneshot::Sender<()>>,
    /// Gone when the membership has ended, maybe before it began.
    pub(super) membership: Weak<()>,
}

pub(super) struct Source {
    pub(super) from: Arc<Connection>,
    /// What it is acknowledged under, if that is wanted.
    pub(super) id: Option<String>,
    /// When it had been read.
    pub(super) arrived: Instant,
    /// Keeps the connection open until its publisher has an answer.
    pub(super) _owed: Owed,
    /// Returned when the message has been delivered, or kept by the bus.
    pub(super) _credit: Credit,
    /// Keeps the room until the message has come to it.
    pub(super) _claim: Claimed,
}

impl Source {
    /// Counts a message that was delivered or kept, and acknowledges it.
    pub(super) fn delivered(&self, room: &str, seq: u64, tally: &Tally) {
        tally.fanout.record(self.arrived);
        tally.messages.inc();
        self.acknowledge(room, seq, tally);
    }

    /// Sends the publisher the message's number, if it wants to know.
    pub(super) fn acknowledge(&self, room: &str, seq: u64, tally: &Tally) {
        if let Some(id) = self.id.clone() {
            let room = room.to_owned();
            self.from.send(&payload::Ack { id, room, seq }, tally);
        }
    }

    pub(super) fn refuse(self, refusal: Refusal, tally: &Tally) {
        self.from.refuse(&refusal.with_id(self.id), tally);
    }
}
