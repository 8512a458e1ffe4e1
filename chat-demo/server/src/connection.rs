//! A connection as seen by hub and rooms.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::Payload;
use chat_demo_client::wire;
use tokio::time::Instant;

use crate::error::Refusal;
use crate::outbox::Outbox;
use crate::rights::Rooms;
use crate::tally::Tally;

pub(crate) struct Connection {
    /// Unique among the servers of one name.
    pub(crate) id: u64,
    /// Unset until the hello.
    pub(crate) user: OnceLock<Arc<str>>,
    /// Set once its hello was answered with a welcome.
    welcomed: AtomicBool,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) opened: Instant,
}

/// What a hello has established.
pub(crate) struct Identity {
    pub(crate) user: Arc<str>,
    /// Whether the user may send alerts and use the HTTP API. Guests may not.
    pub(crate) admin: bool,
    pub(crate) rooms: Rooms,
    /// When its token ends; guests have none.
    pub(crate) expires: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(id: u64, outbox: Outbox) -> Self {
        Self {
            id,
            user: OnceLock::new(),
            welcomed: AtomicBool::new(false),
            outbox: Arc::new(outbox),
            opened: Instant::now(),
        }
    }

    /// Lets alerts through from now on. Call it after the welcome was queued, or an alert comes
    /// first.
    pub(crate) fn welcome(&self) {
        self.welcomed.store(true, Ordering::Relaxed);
    }

    /// Returns whether the client has said hello and was welcomed.
    pub(crate) fn is_welcome(&self) -> bool {
        self.welcomed.load(Ordering::Relaxed)
    }

    /// Queues a payload for the client. The session notices if its outbox takes no more frames.
    pub(crate) fn send<P: Payload>(&self, payload: &P, tally: &Tally) {
        let frame = wire::message(payload, self.outbox.subprotocol());
        if self.outbox.push(frame).is_queued() {
            tally.frames_out.inc(P::KIND);
        }
    }

    pub(crate) fn send_heartbeat(&self, tally: &Tally) {
        let frame = wire::empty(Kind::HEARTBEAT, self.outbox.subprotocol());
        if self.outbox.push(frame).is_queued() {
            tally.frames_out.inc(Kind::HEARTBEAT);
        }
    }

    /// Sends the client the reason why a frame was refused.
    pub(crate) fn refuse(&self, refusal: &Refusal, tally: &Tally) {
        tally.errors.inc(refusal.code);
        self.send(&refusal.payload(), tally);
    }

    /// The user's name; empty before the hello.
    pub(crate) fn user(&self) -> &str {
        self.user.get().map_or("", |user| user)
    }
}
