//! What is announced, as bytes: the type of the frame that clients get of it, then the payload in Protobuf; of a message
//! its number before that, and of presence, which Redis tells itself, a letter and the user.

use crate::bus::Heard;
use crate::frame::Kind;
use crate::payload::{Message, Payload, Presence, PresenceEvent};
use crate::subprotocol::Subprotocol::Protobuf;

/// A message as it is kept: without what it is kept under.
pub(super) fn stored(message: Message) -> Vec<u8> {
    let bare = Message {
        room: String::new(),
        seq: 0,
        ..message
    };
    written(&bare, Vec::new())
}

/// The message that was kept so.
pub(super) fn restored(room: &str, seq: u64, bytes: &[u8]) -> Option<Message> {
    let message: Message = Protobuf.read(bytes).ok()?;
    Some(Message {
        room: room.to_owned(),
        seq,
        ..message
    })
}

/// As it goes over the bus. Messages and presence are announced by Redis itself.
pub(super) fn encode(heard: &Heard) -> Vec<u8> {
    match heard {
        Heard::Order(update) => marked(update),
        Heard::State(state) => marked(state),
        Heard::Alert(alert) => marked(alert),
        Heard::Message(_) | Heard::Presence(_) => unreachable!("Redis announces it itself"),
    }
}

/// What was announced to those in the room; nothing if a newer server says what this one does not know.
pub(super) fn decode(room: &str, bytes: &[u8]) -> Option<Heard> {
    let (kind, payload) = bytes.split_first()?;
    Some(match Kind(*kind) {
        Kind::MESSAGE => {
            let end = payload.iter().position(|byte| *byte == b':')?;
            let seq = str::from_utf8(&payload[..end]).ok()?.parse().ok()?;
            Heard::Message(restored(room, seq, &payload[end + 1..])?)
        }
        Kind::PRESENCE => {
            let (event, user) = payload.split_first()?;
            let event = match event {
                b'j' => PresenceEvent::Joined,
                b'l' => PresenceEvent::Left,
                _ => return None,
            };
            Heard::Presence(Presence {
                room: room.to_owned(),
                user: str::from_utf8(user).ok()?.to_owned(),
                event: event.into(),
            })
        }
        Kind::ORDER_UPDATE => Heard::Order(Protobuf.read(payload).ok()?),
        Kind::USER_STATE => Heard::State(Protobuf.read(payload).ok()?),
        Kind::ALERT => Heard::Alert(Protobuf.read(payload).ok()?),
        _ => return None,
    })
}

fn marked<P: Payload>(payload: &P) -> Vec<u8> {
    written(payload, vec![P::KIND.0])
}

fn written<P: Payload>(payload: &P, mut bytes: Vec<u8>) -> Vec<u8> {
    Protobuf.write(payload, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Alert, Level, OrderUpdate, State, UserState};

    fn message() -> Message {
        Message {
            room: "tea".to_owned(),
            seq: 12,
            user: "ann".to_owned(),
            text: "hi: you".to_owned(),
            ts: 7,
        }
    }

    #[test]
    fn what_is_announced_is_heard() {
        let order = OrderUpdate {
            order: "1".to_owned(),
            status: "sent".to_owned(),
            room: Some("tea".to_owned()),
        };
        let state = UserState {
            state: State::Busy.into(),
            user: Some("ann".to_owned()),
        };
        let alert = Alert {
            level: Level::Critical.into(),
            text: "fire".to_owned(),
        };
        for heard in [
            Heard::Order(order),
            Heard::State(state),
            Heard::Alert(alert),
        ] {
            assert_eq!(decode("tea", &encode(&heard)), Some(heard));
        }
        let mut announced = vec![Kind::MESSAGE.0];
        announced.extend_from_slice(b"12:");
        announced.extend(stored(message()));
        assert_eq!(decode("tea", &announced), Some(Heard::Message(message())));
        let came = [&[Kind::PRESENCE.0][..], b"jann"].concat();
        let joined = Presence {
            room: "tea".to_owned(),
            user: "ann".to_owned(),
            event: PresenceEvent::Joined.into(),
        };
        assert_eq!(decode("tea", &came), Some(Heard::Presence(joined)));
    }

    #[test]
    fn what_nobody_understands_is_not_heard() {
        let unknown: [&[u8]; 8] = [
            b"",
            b"\xFFx",
            &[Kind::MESSAGE.0],
            b"\x16:",
            b"\x16x:",
            b"\x161:\xFF",
            b"\x19qann",
            b"\x19j\xFF",
        ];
        for bytes in unknown {
            assert_eq!(decode("tea", bytes), None, "{bytes:?}");
        }
    }
}
