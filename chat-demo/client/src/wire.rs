//! Encoded WebSocket messages of the server: WebSocket header, frame header, payload and checksum
//! in one buffer, encoded once and shared by all receivers.

mod parcel;

use std::sync::OnceLock;

use bytes::{BufMut, Bytes};

use crate::frame::{self, CRC_LEN, HEADER_LEN, Kind};
use crate::payload::{Message, Payload};
use crate::subprotocol::{self, Subprotocol};

pub use self::parcel::Parcel;

/// The longest WebSocket header without a mask: opcode, length, eight bytes of extended length.
const WS_HEADER_LEN: usize = 10;
/// The most bytes that the server adds to a client's text: names, numbers, headers, error message.
pub const ADDED: usize = 2048;
const OP_TEXT: u8 = 0x81;
const OP_BINARY: u8 = 0x82;
const OP_CLOSE: u8 = 0x88;
/// The payload of a control frame without the close code.
const MAX_REASON: usize = 123;

/// Encodes a payload for a subprotocol.
pub fn message<P: Payload>(payload: &P, subprotocol: Subprotocol) -> Bytes {
    let mut bytes = space_for_headers(256);
    subprotocol.write(payload, &mut bytes);
    seal(P::KIND, bytes, subprotocol)
}

/// Encodes a message from another server for the log; replaces a text over `limit`.
#[must_use]
pub fn restored(message: &Message, limit: usize) -> Bytes {
    // Nearly all messages fit, so do not copy them.
    if subprotocol::fit([message.text.as_str()], limit) {
        return self::message(message, Subprotocol::Json);
    }
    let mut message = message.clone();
    subprotocol::shorten(&mut message.text, limit);
    self::message(&message, Subprotocol::Json)
}

/// Encodes a frame of `kind` without a payload.
#[must_use]
pub fn empty(kind: Kind, subprotocol: Subprotocol) -> Bytes {
    let mut bytes = space_for_headers(frame::OVERHEAD);
    subprotocol.write_empty(kind, &mut bytes);
    seal(kind, bytes, subprotocol)
}

/// A payload for many clients, encoded once for each subprotocol in use.
pub struct Shared<P> {
    payload: P,
    encoded: [OnceLock<Bytes>; Subprotocol::ALL.len()],
}

impl<P: Payload> Shared<P> {
    /// Wraps a payload without encoding it yet.
    pub fn new(payload: P) -> Self {
        Self {
            payload,
            encoded: Default::default(),
        }
    }

    /// Returns the payload.
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// Returns the encoding for a subprotocol.
    pub fn encoded(&self, subprotocol: Subprotocol) -> &Bytes {
        self.encoded[subprotocol as usize].get_or_init(|| message(&self.payload, subprotocol))
    }
}

/// A frame for many clients, encoded once for each subprotocol.
pub trait Delivery {
    /// Returns the kind of the frame.
    fn kind(&self) -> Kind;

    /// Returns the encoding for `subprotocol`.
    fn encoded(&self, subprotocol: Subprotocol) -> &Bytes;
}

impl<P: Payload> Delivery for Shared<P> {
    fn kind(&self) -> Kind {
        P::KIND
    }

    fn encoded(&self, subprotocol: Subprotocol) -> &Bytes {
        self.encoded(subprotocol)
    }
}

/// Converts a message that [`message`] encoded in JSON to `subprotocol`.
///
/// # Panics
///
/// If `json` was not made by [`message`] of this payload.
pub fn translated<P: Payload>(json: &Bytes, subprotocol: Subprotocol) -> Bytes {
    if subprotocol == Subprotocol::Json {
        return json.clone();
    }
    message(&kept::<P>(json), subprotocol)
}

/// Reads a message that [`message`] made in JSON.
///
/// # Panics
///
/// If `json` was not made by [`message`] of this payload.
#[must_use]
pub fn kept<P: Payload>(json: &Bytes) -> P {
    let (_, frame, _) = split(json).expect("it was made here");
    let payload = &frame[HEADER_LEN..frame.len() - CRC_LEN];
    Subprotocol::Json.read(payload).expect("it was made here")
}

/// Encodes a text message without a frame.
#[must_use]
pub fn text(text: &str) -> Bytes {
    plain(OP_TEXT, text.as_bytes())
}

/// Encodes a binary message without a frame.
#[must_use]
pub fn binary(bytes: &[u8]) -> Bytes {
    plain(OP_BINARY, bytes)
}

/// Encodes a close frame.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason.as_bytes()[..reason.len().min(MAX_REASON)];
    plain(OP_CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Returns whether an encoded WebSocket frame is a close.
#[must_use]
pub fn is_close(frame: &[u8]) -> bool {
    frame.first() == Some(&OP_CLOSE)
}

/// Returns the payloads of the text messages in `bytes`, a sequence of messages of this module.
pub fn texts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let messages = std::iter::from_fn(move || {
        let (opcode, payload);
        (opcode, payload, bytes) = split(bytes)?;
        Some((opcode, payload))
    });
    messages.filter_map(|(opcode, payload)| (opcode == OP_TEXT).then_some(payload))
}

/// Returns the opcode and the payload of the first message in `bytes`, and the rest.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[opcode, code], rest) = bytes.split_first_chunk()?;
    let extended = match code {
        127 => 8,
        126 => 2,
        _ => 0,
    };
    let (len, rest) = rest.split_at_checked(extended)?;
    let len = match code {
        126 | 127 => len.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        _ => code.into(),
    };
    let (payload, rest) = rest.split_at_checked(len.try_into().ok()?)?;
    Some((opcode, payload, rest))
}

fn plain(opcode: u8, content: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(WS_HEADER_LEN + content.len());
    bytes.resize(WS_HEADER_LEN, 0);
    bytes.extend_from_slice(content);
    open(opcode, bytes, WS_HEADER_LEN)
}

fn space_for_headers(more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WS_HEADER_LEN + HEADER_LEN + more);
    bytes.resize(WS_HEADER_LEN + HEADER_LEN, 0);
    bytes
}

/// Writes the headers before the payload, after the lengths are known.
fn seal(kind: Kind, mut bytes: Vec<u8>, subprotocol: Subprotocol) -> Bytes {
    match subprotocol {
        Subprotocol::Text => open(OP_TEXT, bytes, WS_HEADER_LEN + HEADER_LEN),
        Subprotocol::Json | Subprotocol::Protobuf => {
            let payload_len = bytes.len() - WS_HEADER_LEN - HEADER_LEN;
            bytes[WS_HEADER_LEN..][..HEADER_LEN].copy_from_slice(&frame::header(kind, payload_len));
            let crc = crc32fast::hash(&bytes[WS_HEADER_LEN..]);
            bytes.put_u32(crc);
            open(OP_BINARY, bytes, WS_HEADER_LEN)
        }
    }
}

/// Writes the WebSocket header right-aligned before the body, whose length determines its size.
fn open(op: u8, mut bytes: Vec<u8>, body: usize) -> Bytes {
    let len = ((bytes.len() - body) as u64).to_be_bytes();
    let (code, extended) = match len {
        [0, 0, 0, 0, 0, 0, 0, len @ ..=125] => (len, &[][..]),
        [0, 0, 0, 0, 0, 0, ..] => (126, &len[6..]),
        _ => (127, &len[..]),
    };
    let start = body - 2 - extended.len();
    bytes[start..start + 2].copy_from_slice(&[op, code]);
    bytes[start + 2..body].copy_from_slice(extended);
    Bytes::from(bytes).slice(start..)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocket};

    use super::*;
    use crate::frame::Frame;
    use crate::{payload, subprotocol};

    fn read(bytes: &Bytes) -> Message {
        let stream = Cursor::new(bytes.to_vec());
        WebSocket::from_raw_socket(stream, Role::Client, None)
            .read()
            .expect("one message")
    }

    fn said(len: usize) -> payload::Message {
        payload::Message {
            text: "x".repeat(len),
            ..payload::Message::default()
        }
    }

    /// Decodes `bytes` as a client does.
    fn heard<P: Payload>(bytes: &Bytes, subprotocol: Subprotocol) -> P {
        let message = read(bytes);
        let payload = match (&message, subprotocol) {
            (Message::Text(text), Subprotocol::Text) => {
                let kind = subprotocol::read_text(text).expect("a type");
                assert_eq!(kind, P::KIND);
                text.as_bytes()
            }
            (Message::Binary(frame), Subprotocol::Json | Subprotocol::Protobuf) => {
                let frame = Frame::decode(frame, frame::MAX_PAYLOAD).expect("one frame");
                assert_eq!(frame.kind, P::KIND);
                frame.payload
            }
            _ => panic!("not what {subprotocol:?} speaks: {message:?}"),
        };
        subprotocol.read(payload).expect("the payload")
    }

    /// Returns texts around the sizes at which a WebSocket header grows, in each subprotocol.
    fn lengths() -> impl Iterator<Item = usize> {
        let near = |at: usize| at.saturating_sub(100)..at + 10;
        near(0)
            .chain(near(126))
            .chain(near(1 << 16))
            .chain([70_000, 1 << 20])
    }

    #[test]
    fn stored_texts_over_the_limit_are_replaced() {
        for (len, fits) in [(100, true), (101, false)] {
            let message = said(len);
            let stored: payload::Message = kept(&restored(&message, 100));
            assert_eq!(stored == message, fits, "{len} bytes");
            assert!(stored.text.len() <= 100, "{len} bytes");
        }
    }

    #[test]
    fn payloads_of_each_length_are_one_websocket_message() {
        for subprotocol in Subprotocol::ALL {
            for len in lengths() {
                let bytes = message(&said(len), subprotocol);
                assert_eq!(heard::<payload::Message>(&bytes, subprotocol), said(len));
            }
        }
    }

    #[test]
    fn what_was_said_in_json_is_translated() {
        for subprotocol in Subprotocol::ALL {
            for len in lengths() {
                let json = message(&said(len), Subprotocol::Json);
                let bytes = translated::<payload::Message>(&json, subprotocol);
                assert_eq!(heard::<payload::Message>(&bytes, subprotocol), said(len));
            }
        }
    }

    #[test]
    fn a_shared_frame_is_encoded_once() {
        let shared = Shared::new(said(10));
        for subprotocol in Subprotocol::ALL {
            let one = shared.encoded(subprotocol);
            assert_eq!(one, &message(&said(10), subprotocol));
            assert_eq!(one.as_ptr(), shared.encoded(subprotocol).as_ptr());
        }
    }

    #[test]
    fn an_empty_frame_has_no_payload() {
        let beat = Frame {
            kind: Kind::HEARTBEAT,
            payload: &[],
        };
        for subprotocol in [Subprotocol::Json, Subprotocol::Protobuf] {
            assert_eq!(
                read(&empty(Kind::HEARTBEAT, subprotocol)),
                Message::Binary(beat.encode())
            );
        }
        let text = read(&empty(Kind::HEARTBEAT, Subprotocol::Text));
        assert_eq!(text, Message::text(r#"{"type":"heartbeat"}"#));
    }

    #[test]
    fn a_close_frame_tells_code_and_reason() {
        let closed = read(&close(1008, "too slow"));
        assert_eq!(
            closed,
            Message::Close(Some(CloseFrame {
                code: 1008.into(),
                reason: "too slow".into()
            }))
        );
    }
}
