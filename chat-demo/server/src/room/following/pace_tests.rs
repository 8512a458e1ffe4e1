//! Members that read more slowly than a room catches up.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chat_demo_client::payload::OrderUpdate;
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire::Parcel;

use super::tests::{page, state};
use super::*;
use crate::connection::Connection;
use crate::directory::Directory;
use crate::outbox::{Limits, Outbox};
use crate::room::prepared::Prepared;
use crate::room::{Listening, Room};

const LIMITS: Limits = Limits {
    frames: 8,
    bytes: 1 << 20,
    patience: Duration::from_secs(5),
};

/// A room with a member that has read all, and its outbox.
fn room_with_a_member() -> (State, Arc<Outbox>) {
    let mut state = state();
    state.fill(page(1, 0, 0, None, usize::MAX), None, None);
    let outbox = join(&mut state);
    (state, outbox)
}

/// Adds a member, which reads all. Returns its outbox.
pub(super) fn join(state: &mut State) -> Arc<Outbox> {
    let connection = Arc::new(Connection::new(1, Outbox::new(LIMITS, Subprotocol::Json)));
    let outbox = connection.outbox.clone();
    let common = state.common.clone();
    let rooms = Arc::new(Directory::new());
    let (_, claim) = rooms.claim("tea", |name| Listening::new(Room::new(name, common)));
    let membership = Arc::new(());
    state.join(Joining {
        connection,
        claim: Arc::new(claim),
        seen: None,
        prepared: Prepared::default(),
        members: None,
        joined: None,
        membership: Arc::downgrade(&membership),
    });
    assert!(reads(&outbox) > 0, "it has joined");
    outbox
}

/// The client reads all that waits. Returns the number of frames.
pub(super) fn reads(outbox: &Outbox) -> usize {
    let frames = outbox.waiting().frames;
    let mut cx = Context::from_waker(Waker::noop());
    while outbox.waiting().frames > 0 {
        let _ = outbox.poll_drain(&mut cx, |_, bytes| Poll::Ready(Ok(bytes.len())));
    }
    frames
}

/// Fills the room from the bus, which has `newest` messages.
fn catch_up(state: &mut State, newest: u64) -> Filled {
    let after = state.read_after();
    state.fill(page(1, newest, u64::MAX, after, usize::MAX), after, None)
}

#[tokio::test(start_paused = true)]
async fn member_that_reads_is_not_evicted_however_long_it_takes() {
    let (mut state, outbox) = room_with_a_member();
    let mut read = 0;
    while catch_up(&mut state, 100) == Filled::TooFast {
        assert!(outbox.waiting().frames <= LIMITS.frames / 2);
        let slow = state.slow_member().expect("it waits for the member");
        assert!(Arc::ptr_eq(&slow, &outbox));
        tokio::time::advance(LIMITS.patience / 2).await;
        read += reads(&outbox);
    }
    read += reads(&outbox);
    assert_eq!((read, outbox.is_sealed()), (100, false));
}

#[tokio::test(start_paused = true)]
async fn member_that_does_not_read_is_awaited_for_its_patience() {
    let (mut state, outbox) = room_with_a_member();
    assert_eq!(catch_up(&mut state, 100), Filled::TooFast);
    tokio::time::advance(LIMITS.patience / 2).await;
    assert_eq!(catch_up(&mut state, 100), Filled::TooFast);
    assert!(!outbox.is_sealed());
    tokio::time::advance(LIMITS.patience).await;
    assert!(state.slow_member().is_none());
    assert_eq!(catch_up(&mut state, 100), Filled::Whole);
    assert!(outbox.is_sealed(), "its outbox was full, and its time over");
}

#[tokio::test(start_paused = true)]
async fn frames_of_another_server_evict_no_member() {
    let (mut state, outbox) = room_with_a_member();
    let frame = Parcel::new(&OrderUpdate {
        order: "7".to_owned(),
        ..OrderUpdate::default()
    });
    for _ in 0..100 {
        state.deliver_frame(&frame);
    }
    assert!(!outbox.is_sealed());
    assert_eq!(reads(&outbox), LIMITS.frames);
    state.deliver_frame(&frame);
    assert_eq!(reads(&outbox), 1);
}
