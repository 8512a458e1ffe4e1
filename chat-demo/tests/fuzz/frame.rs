//! Properties of any bytes as a frame.

use chat_demo_client::frame::{CRC_LEN, Frame, HEADER_LEN, Kind};

/// The receiver's limit.
pub(crate) const MAX_PAYLOAD: usize = 256;

/// Checks that a decoded frame encodes to the same bytes. Tries the bytes unchanged, and with a
/// correct checksum.
pub(crate) fn check(bytes: &[u8]) {
    round_trip(bytes);
    if let Some((content, _)) = bytes.split_last_chunk::<CRC_LEN>() {
        let crc = crc32fast::hash(content).to_be_bytes();
        round_trip(&[content, &crc].concat());
    }
}

fn round_trip(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes, MAX_PAYLOAD) else {
        return;
    };
    assert!(frame.payload.len() <= MAX_PAYLOAD);
    let heartbeat = Frame {
        kind: Kind::HEARTBEAT,
        payload: &[],
    };
    if bytes.len() == HEADER_LEN {
        assert_eq!(frame, heartbeat, "nothing else comes without a checksum");
    } else {
        assert_eq!(frame.encode(), bytes);
    }
}
