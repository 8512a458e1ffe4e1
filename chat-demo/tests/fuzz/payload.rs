//! Properties of any bytes as a payload.

use std::fmt::Debug;

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{
    Ack, Alert, Bye, Error, Hello, History, Join, Joined, Leave, Members, Message, OrderUpdate,
    Payload, Presence, Publish, Search, Typing, UserState, Welcome,
};
use chat_demo_client::subprotocol::Subprotocol;

/// Checks bytes as one type; returns whether they are a value of it.
pub(crate) type Check = fn(&[u8], Subprotocol) -> bool;

/// The types of all kinds with a payload, in the order of the kinds.
pub(crate) const CHECKS: [(Kind, Check); 18] = [
    round_trip_of::<OrderUpdate>(),
    round_trip_of::<UserState>(),
    round_trip_of::<Alert>(),
    round_trip_of::<Hello>(),
    round_trip_of::<Welcome>(),
    round_trip_of::<Join>(),
    round_trip_of::<Joined>(),
    round_trip_of::<Leave>(),
    round_trip_of::<Publish>(),
    round_trip_of::<Message>(),
    round_trip_of::<Ack>(),
    round_trip_of::<Error>(),
    round_trip_of::<Presence>(),
    round_trip_of::<History>(),
    round_trip_of::<Members>(),
    round_trip_of::<Bye>(),
    round_trip_of::<Search>(),
    round_trip_of::<Typing>(),
];

const fn round_trip_of<P: Payload + PartialEq + Debug>() -> (Kind, Check) {
    (P::KIND, round_trip::<P>)
}

/// Checks a payload. The first byte picks the type and the subprotocol.
pub(crate) fn check(bytes: &[u8]) -> bool {
    let Some((&pick, payload)) = bytes.split_first() else {
        return false;
    };
    let (kind, subprotocol) = choice(pick);
    let (_, check) = CHECKS[kind];
    check(payload, subprotocol)
}

/// Returns the index of the check that a byte picks, and the subprotocol.
pub(crate) fn choice(pick: u8) -> (usize, Subprotocol) {
    let (subprotocol, kind) = (usize::from(pick >> 5), usize::from(pick & 0x1F));
    let all = Subprotocol::ALL;
    (kind % CHECKS.len(), all[subprotocol % all.len()])
}

/// Checks that a value that can be read can be written, and read again as the same.
fn round_trip<P: Payload + PartialEq + Debug>(bytes: &[u8], subprotocol: Subprotocol) -> bool {
    let Ok(value) = subprotocol.read::<P>(bytes) else {
        return false;
    };
    let mut written = Vec::new();
    subprotocol.write(&value, &mut written);
    let again: P = subprotocol.read(&written).expect("we wrote it");
    assert_eq!(again, value);
    true
}
