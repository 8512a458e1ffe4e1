//! The encoding of announcements: the type of the frame for clients, then the payload in Protobuf.
//! Redis announces a message as `epoch:number:mark of the previous message:payload`, an epoch as
//! `epoch:number`, and presence as a letter and the user.

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{Message, Presence, PresenceEvent};
use chat_demo_client::subprotocol::Subprotocol::Protobuf;
use chat_demo_client::wire::{Delivery, Parcel};

use crate::bus::{Announced, BusEvent, Mark};
use crate::epoch::{Epoch, Position};

/// A message as it is kept: without what it is kept under.
pub(super) fn stored(message: Message) -> Vec<u8> {
    let bare = Message {
        room: String::new(),
        seq: 0,
        ..message
    };
    let mut bytes = Vec::new();
    Protobuf.write(&bare, &mut bytes);
    bytes
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

/// A frame for clients as it goes over the bus.
pub(super) fn encode(frame: &Parcel) -> Vec<u8> {
    [&[frame.kind().0], frame.bytes()].concat()
}

/// What was announced to those in the room; nothing if a newer server says what this one does not
/// know.
pub(super) fn decode(room: &str, bytes: &[u8]) -> Option<BusEvent> {
    let (kind, payload) = bytes.split_first()?;
    Some(match Kind(*kind) {
        Kind::MESSAGE => {
            let (epoch, payload) = head(payload)?;
            let (seq, payload) = head(payload)?;
            let (before, payload) = head(payload)?;
            BusEvent::Message(Announced {
                epoch: Epoch::parse(epoch)?,
                before: mark(before),
                message: restored(room, seq.parse().ok()?, payload)?,
            })
        }
        Kind::JOINED => {
            let (epoch, seq) = str::from_utf8(payload).ok()?.split_once(':')?;
            BusEvent::Stand(Position {
                epoch: Epoch::parse(epoch)?,
                seq: seq.parse().ok()?,
            })
        }
        Kind::PRESENCE => {
            let (event, user) = payload.split_first()?;
            let event = match event {
                b'j' => PresenceEvent::Joined,
                b'l' => PresenceEvent::Left,
                _ => return None,
            };
            BusEvent::Presence(Presence {
                room: room.to_owned(),
                user: str::from_utf8(user).ok()?.to_owned(),
                event: event.into(),
            })
        }
        kind => BusEvent::Frame(Parcel::read(kind, payload)?),
    })
}

/// What stands before the first colon, and what behind it.
fn head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b':')?;
    Some((str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// A mark as Redis has it, where there is one.
pub(super) fn mark(text: &str) -> Option<Mark> {
    u32::from_str_radix(text, 16).ok().map(Mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_demo_client::payload::{Alert, Level, OrderUpdate, State, UserState};
    use chat_demo_client::subprotocol::Subprotocol;

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
    fn announcements_are_decoded() {
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
        for sent in [
            Parcel::new(&order),
            Parcel::new(&state),
            Parcel::new(&alert),
        ] {
            let Some(BusEvent::Frame(event)) = decode("tea", &encode(&sent)) else {
                panic!("{sent:?} is not event");
            };
            assert_eq!((event.kind(), event.bytes()), (sent.kind(), sent.bytes()));
            for subprotocol in Subprotocol::ALL {
                assert_eq!(event.encoded(subprotocol), sent.encoded(subprotocol));
            }
        }
        let mut announced = vec![Kind::MESSAGE.0];
        announced.extend_from_slice(b"000000000000002a:12:ff:");
        announced.extend(stored(message()));
        let event = BusEvent::Message(Announced {
            epoch: Epoch::from_bits(42),
            before: Some(Mark(255)),
            message: message(),
        });
        assert_eq!(decode("tea", &announced), Some(event));
        let begun = [&[Kind::JOINED.0][..], b"000000000000002a:3"].concat();
        let (epoch, seq) = (Epoch::from_bits(42), 3);
        let event = BusEvent::Stand(Position { epoch, seq });
        assert_eq!(decode("tea", &begun), Some(event));
        let came = [&[Kind::PRESENCE.0][..], b"jann"].concat();
        let joined = Presence {
            room: "tea".to_owned(),
            user: "ann".to_owned(),
            event: PresenceEvent::Joined.into(),
        };
        assert_eq!(decode("tea", &came), Some(BusEvent::Presence(joined)));
    }

    #[test]
    fn unknown_announcements_are_ignored() {
        let unknown: [&[u8]; 11] = [
            b"\x13000000000000002a:",
            b"\x162a:1:x:",
            b"",
            b"\xFFx",
            b"\x04\xFF",
            &[Kind::MESSAGE.0],
            b"\x16:",
            b"\x16x:",
            b"\x16000000000000002a:1::\xFF",
            b"\x19qann",
            b"\x19j\xFF",
        ];
        for bytes in unknown {
            assert_eq!(decode("tea", bytes), None, "{bytes:?}");
        }
    }
}
