//! Memberships that end, whatever the room does meanwhile.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use anthill::Pool;
use bytes::Bytes;

use super::*;
use crate::directory::{Claim, Directory};
use crate::history::{History, Limits};
use crate::outbox::{self, Outbox};
use crate::room::prepared::Prepared;
use crate::tally::Tally;
use chat_demo_client::subprotocol::Subprotocol;

const LIMITS: outbox::Limits = outbox::Limits {
    frames: 8,
    bytes: 1000,
    patience: Duration::ZERO,
};

/// A room with one member, and what its claims were made of.
struct Fixture {
    rooms: Arc<Directory<Listening>>,
    connection: Arc<Connection>,
    membership: Membership,
    fanout: Pool,
}

fn joining(
    connection: &Arc<Connection>,
    claim: Arc<Claim<Listening>>,
    membership: &Arc<()>,
) -> Joining {
    Joining {
        connection: connection.clone(),
        claim,
        seen: None,
        prepared: Prepared::default(),
        members: None,
        joined: None,
        membership: Arc::downgrade(membership),
    }
}

fn common() -> Arc<Common> {
    common_with(Limits {
        messages: 0,
        age: Duration::ZERO,
        bytes: 0,
        room_bytes: 0,
        user_bytes: 0,
        rooms: 0,
    })
}

fn common_with(history: Limits) -> Arc<Common> {
    Arc::new(Common {
        fanout: Pool::builder().capacity(2).build().expect("a pool"),
        pages: Pool::builder().capacity(1).build().expect("a pool"),
        searches: Pool::builder().capacity(1).build().expect("a pool"),
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
    let (listening, claim) = rooms.claim("tea", |name| Listening::new(Room::new(name, common)));
    let id = connection.id;
    let room = listening.room.clone();
    let claim = Arc::new(claim);
    let joined = claim.clone();
    let ongoing = Arc::new(());
    room.apply(|state| state.join(joining(&connection, joined, &ongoing)));
    let membership = Membership {
        room,
        claim,
        id,
        left: false,
        typed: None,
        ongoing: Some(ongoing),
    };
    Fixture {
        rooms,
        connection,
        membership,
        fanout,
    }
}

#[test]
fn dropped_membership_ends_even_if_the_pool_is_full() {
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
fn membership_dropped_in_an_operation_ends_after_it() {
    let Fixture {
        rooms, membership, ..
    } = fixture();
    let room = membership.room.clone();
    room.apply(|state| {
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
    let room = membership.room.clone();
    connection.outbox.abandon();
    drop(membership);
    let (_, claim) = rooms.claim("tea", |name| Listening::new(Room::new(name, common())));
    room.apply(|state| state.join(joining(&connection, Arc::new(claim), &Arc::new(()))));
    assert_eq!(room.state.lock().members(), 0);
    assert_eq!(rooms.len(), 0);
}

#[test]
fn members_that_are_gone_at_once_leave_once_each() {
    const USERS: u64 = 300;
    let limits = outbox::Limits {
        frames: 10_000,
        bytes: 1 << 20,
        ..LIMITS
    };
    let common = Arc::new(Common {
        presence_limit: usize::MAX,
        ..Arc::into_inner(common()).expect("the only one")
    });
    let rooms = Arc::new(Directory::new());
    let (listening, claim) = rooms.claim("tea", |name| Listening::new(Room::new(name, common)));
    let claim = Arc::new(claim);
    let membership = Arc::new(());
    let connect = |id: u64, user: String| {
        let connection = Arc::new(Connection::new(id, Outbox::new(limits, Subprotocol::Json)));
        connection.user.set(user.into()).expect("it has no name");
        let joining = joining(&connection, claim.clone(), &membership);
        listening.room.apply(|state| state.join(joining));
        connection
    };
    let stays = connect(0, "ann".to_owned());
    // Each user has two connections.
    let go: Vec<_> = (1..=2 * USERS)
        .map(|id| connect(id, format!("user {}", id / 2)))
        .collect();
    let before = stays.outbox.waiting().frames;
    for connection in &go {
        connection.outbox.abandon();
    }
    let room = listening.room.clone();
    // One call for each member would need more stack.
    let delivery = std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || {
            room.apply(|state| {
                state.begin_anew(None);
                assert_eq!(state.members(), 1);
            });
        });
    delivery.expect("a thread").join().expect("it delivers");
    let users = usize::try_from(USERS).expect("a small number") + 1;
    assert_eq!(stays.outbox.waiting().frames - before, 1 + users);
}

#[test]
fn each_use_of_the_state_ends_memberships_that_end_meanwhile() {
    let Fixture {
        rooms, membership, ..
    } = fixture();
    let room = membership.room.clone();
    // As if the lock had been held.
    room.departed.lock().push(membership.id);
    assert_eq!(room.members(), [membership.id]);
    assert_eq!(room.size.load(Ordering::Relaxed), 0);
    drop(membership);
    assert_eq!(rooms.len(), 0);
}

#[test]
fn join_that_waits_for_its_page_holds_up_no_publisher() {
    let common = common_with(Limits {
        messages: 1,
        age: Duration::from_secs(60),
        bytes: 1000,
        room_bytes: 1000,
        user_bytes: 1000,
        rooms: 1,
    });
    let _all = common.pages.try_slot().expect("it is free");
    let room = Room::new("tea".into(), common.clone());
    let seen = room.log.newest();
    room.log
        .append("ann", None, |_| (Bytes::from_static(b"a text"), ()));
    let outbox = Outbox::new(LIMITS, Subprotocol::Protobuf);
    let connection = Arc::new(Connection::new(1, outbox));
    let mut cx = Context::from_waker(Waker::noop());
    let mut join = pin!(room.join(connection, Arc::new(()), Some(seen)));
    assert!(join.as_mut().poll(&mut cx).is_pending());
    assert!(pin!(room.flow.enter(0)).poll(&mut cx).is_ready());
}

#[test]
fn join_that_was_given_up_in_line_has_no_effect() {
    let rooms = Arc::new(Directory::new());
    let (listening, claim) = rooms.claim("tea", |name| Listening::new(Room::new(name, common())));
    let connection = Arc::new(Connection::new(1, Outbox::new(LIMITS, Subprotocol::Json)));
    let membership = Arc::new(());
    let joining = joining(&connection, Arc::new(claim), &membership);
    drop(membership);
    listening.room.apply(|state| state.join(joining));
    assert_eq!((listening.room.members(), rooms.len()), (Vec::new(), 0));
}
