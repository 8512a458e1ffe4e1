//! Notices that a user writes something: worth little, so they are dropped before anything waits
//! for them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{Payload, Typing};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire::{Delivery, Parcel, Shared};
use tokio::time::Instant;

use super::state::State;
use super::{Membership, Room};

/// How often the notices of a connection are forwarded.
const EVERY: Duration = Duration::from_secs(3);

impl Membership {
    /// Returns whether a notice is due, and records that it was forwarded.
    pub(crate) fn begin_typing(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.typed.is_none_or(|typed| now - typed >= EVERY);
        if is_due {
            self.typed = Some(now);
        }
        is_due
    }
}

impl Room {
    /// Sends a typing notice to the members on all servers, unless this server has too many
    /// members. Does not wait for members or slots.
    pub(crate) async fn send_typing(self: &Arc<Self>, user: &str) {
        // Check before announcing, or a notice in a large room costs each server a frame.
        if self.size.load(Ordering::Relaxed) > self.common.presence_limit {
            return;
        }
        let typing = Typing {
            room: self.name.to_string(),
            user: Some(user.to_owned()),
        };
        if let Some(bus) = &self.common.bus {
            let frame = Parcel::new(&typing);
            if bus.announce(Some(&self.name), &frame).await.is_ok() || !bus.goes_on_alone() {
                return;
            }
        }
        if let Ok(slot) = self.strand.try_slot() {
            let room = self.clone();
            slot.submit(move || room.apply(|state| state.deliver_typing(typing)));
        }
    }
}

impl State {
    /// Queues a frame of another server for each member whose outbox has space. Its publisher does
    /// not wait for these members, so it must not evict them.
    pub(super) fn deliver_frame(&mut self, frame: &Parcel) {
        if frame.kind() == Kind::TYPING
            && let Ok(typing) = Subprotocol::Protobuf.read(frame.bytes())
        {
            return self.deliver_typing(typing);
        }
        let offered = self.outboxes().filter(|outbox| {
            let encoded = frame.encoded(outbox.subprotocol()).clone();
            outbox.offer(vec![encoded])
        });
        let queued = offered.count();
        self.common.tally.deliveries.inc_by(queued as u64);
        self.common.tally.frames_out.inc_by(frame.kind(), queued);
    }

    /// Queues a notice for members that are not behind. Large rooms have neither notices nor
    /// presence.
    pub(super) fn deliver_typing(&mut self, typing: Typing) {
        if self.members.len() > self.common.presence_limit {
            return;
        }
        let typing = Shared::new(typing);
        let user = typing.payload().user.as_deref();
        let others = self.members.values();
        let others = others.filter(|member| Some(member.connection.user()) != user);
        let queued = others.filter(|member| {
            let outbox = &member.connection.outbox;
            outbox.hint(typing.encoded(outbox.subprotocol()).clone())
        });
        let queued = queued.count();
        self.common.tally.frames_out.inc_by(Typing::KIND, queued);
    }
}
