//! Properties of any bytes as a payload.

use std::fmt::Debug;

use chat_demo_client::payload::{
    Ack, Alert, Bye, Error, Hello, History, Join, Joined, Leave, Members, Message, OrderUpdate,
    Payload, Presence, Publish, UserState, Welcome,
};
use chat_demo_client::subprotocol::Subprotocol;

/// Looks at bytes as one type; says whether they are of it.
pub(crate) type Check = fn(&[u8], Subprotocol) -> bool;

/// The types, in the order of their numbers in the protocol.
pub(crate) const CHECKS: [Check; 16] = [
    round_trip::<OrderUpdate>,
    round_trip::<UserState>,
    round_trip::<Alert>,
    round_trip::<Hello>,
    round_trip::<Welcome>,
    round_trip::<Join>,
    round_trip::<Joined>,
    round_trip::<Leave>,
    round_trip::<Publish>,
    round_trip::<Message>,
    round_trip::<Ack>,
    round_trip::<Error>,
    round_trip::<Presence>,
    round_trip::<History>,
    round_trip::<Members>,
    round_trip::<Bye>,
];

/// The first byte picks the type and the subprotocol, the rest is the payload.
pub(crate) fn check(bytes: &[u8]) -> bool {
    let Some((&pick, payload)) = bytes.split_first() else {
        return false;
    };
    let (kind, subprotocol) = choice(pick);
    CHECKS[kind](payload, subprotocol)
}

/// Which of the checks a byte picks, and what its payload is read as.
pub(crate) fn choice(pick: u8) -> (usize, Subprotocol) {
    let (subprotocol, kind) = (pick >> 4, pick & 0xF);
    let all = Subprotocol::ALL;
    (kind.into(), all[usize::from(subprotocol) % all.len()])
}

/// What can be read can be written, and read again as the same.
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
