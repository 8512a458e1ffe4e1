//! What the server says, as it goes over the wire: WebSocket header, frame header, JSON and checksum in one piece of
//! memory, made once and shared by all who get it.

use bytes::{BufMut, Bytes};
use serde::Serialize;

use crate::frame::{self, HEADER_LEN, Kind};

/// The longest WebSocket header of a server, which never masks: opcode, length, eight bytes of more length.
const WS_HEADER_LEN: usize = 10;
const OP_BINARY: u8 = 0x82;
const OP_CLOSE: u8 = 0x88;
/// What a control frame can carry, less the code.
const MAX_REASON: usize = 123;

/// A frame of `kind` that carries `payload`.
pub(crate) fn message<T: Serialize>(kind: Kind, payload: &T) -> Bytes {
    let mut bytes = space_for_headers(256);
    serde_json::to_writer(&mut bytes, payload)
        .expect("payloads are plain data and a Vec takes all");
    seal(kind, bytes)
}

/// A frame of `kind` without a payload.
pub(crate) fn empty(kind: Kind) -> Bytes {
    seal(kind, space_for_headers(frame::OVERHEAD))
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason.as_bytes()[..reason.len().min(MAX_REASON)];
    let mut bytes = Vec::with_capacity(4 + reason.len());
    bytes.put_slice(&[
        OP_CLOSE,
        u8::try_from(2 + reason.len()).expect("a reason is cut to fit"),
    ]);
    bytes.put_u16(code);
    bytes.put_slice(reason);
    bytes.into()
}

fn space_for_headers(more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WS_HEADER_LEN + HEADER_LEN + more);
    bytes.resize(WS_HEADER_LEN + HEADER_LEN, 0);
    bytes
}

/// Fills the space before the payload, right-aligned: only now the lengths are known.
fn seal(kind: Kind, mut bytes: Vec<u8>) -> Bytes {
    let payload_len = bytes.len() - WS_HEADER_LEN - HEADER_LEN;
    bytes[WS_HEADER_LEN..][..HEADER_LEN].copy_from_slice(&frame::header(kind, payload_len));
    let crc = crc32fast::hash(&bytes[WS_HEADER_LEN..]);
    bytes.put_u32(crc);

    let len = bytes.len() - WS_HEADER_LEN;
    let start = match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => {
            bytes[8..10].copy_from_slice(&[OP_BINARY, len]);
            8
        }
        (_, Ok(len)) => {
            bytes[6..8].copy_from_slice(&[OP_BINARY, 126]);
            bytes[8..10].copy_from_slice(&len.to_be_bytes());
            6
        }
        _ => {
            bytes[..2].copy_from_slice(&[OP_BINARY, 127]);
            bytes[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            0
        }
    };
    Bytes::from(bytes).slice(start..)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocket};

    use super::*;
    use crate::frame::Frame;

    fn read(bytes: &Bytes) -> Message {
        let stream = Cursor::new(bytes.to_vec());
        WebSocket::from_raw_socket(stream, Role::Client, None)
            .read()
            .expect("one message")
    }

    #[test]
    fn payloads_of_each_length_class_are_one_websocket_message() {
        for len in [
            0,
            1,
            100,
            113,
            114,
            115,
            116,
            65_500,
            65_523,
            65_524,
            65_525,
            65_526,
            70_000,
            1 << 20,
        ] {
            let text = "x".repeat(len);
            let Message::Binary(bytes) = read(&message(Kind::MESSAGE, &text)) else {
                panic!("not binary")
            };
            let frame = Frame::decode(&bytes, frame::MAX_PAYLOAD).expect("one frame");
            assert_eq!(frame.kind, Kind::MESSAGE);
            assert_eq!(
                serde_json::from_slice::<String>(frame.payload).expect("JSON"),
                text
            );
        }
    }

    #[test]
    fn an_empty_frame_has_no_payload() {
        let Message::Binary(bytes) = read(&empty(Kind::HEARTBEAT)) else {
            panic!("not binary")
        };
        assert_eq!(
            bytes,
            Frame {
                kind: Kind::HEARTBEAT,
                payload: &[]
            }
            .encode()
        );
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
