//! The frame codec: `55 AA`, type, length, payload, CRC-32. It does no I/O, and decoding borrows.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// The first two bytes of each frame.
pub const MAGIC: [u8; 2] = [0x55, 0xAA];
/// The bytes of magic, type and length.
pub const HEADER_LEN: usize = 6;
/// The bytes of the checksum.
pub const CRC_LEN: usize = 4;
/// The bytes that a frame adds to its payload.
pub const OVERHEAD: usize = HEADER_LEN + CRC_LEN;
/// The longest payload that three bytes of length allow.
pub const MAX_PAYLOAD: usize = (1 << 24) - 1;

/// The heartbeat without a checksum, a constant for browsers.
const SHORT_HEARTBEAT: [u8; HEADER_LEN] = [0x55, 0xAA, 0x01, 0, 0, 0];

/// The type byte of a frame. Any byte is a kind; [`payload`](crate::payload) declares those of the
/// protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub u8);

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({:#04x})", self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// One frame, its payload borrowed from the message that carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind of the payload.
    pub kind: Kind,
    /// The payload in the encoding of the subprotocol; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decodes `message`, which must be exactly one frame of at most `max` bytes of payload.
    pub fn decode(message: &'a [u8], max: usize) -> Result<Self, FrameError> {
        let magic = &message[..message.len().min(MAGIC.len())];
        if magic != MAGIC {
            return Err(FrameError::Magic);
        }
        if message == SHORT_HEARTBEAT {
            return Ok(Self {
                kind: Kind::HEARTBEAT,
                payload: &[],
            });
        }
        let (header, rest) = message
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(FrameError::Truncated)?;
        let &[_, _, kind, high, middle, low] = header;
        let len = u32::from_be_bytes([0, high, middle, low]) as usize;
        if len > max {
            return Err(FrameError::TooLarge { len, max });
        }
        let (payload, rest) = rest.split_at_checked(len).ok_or(FrameError::Truncated)?;
        let (crc, rest) = rest
            .split_first_chunk::<CRC_LEN>()
            .ok_or(FrameError::Truncated)?;
        if !rest.is_empty() {
            return Err(FrameError::Trailing(rest.len()));
        }
        if u32::from_be_bytes(*crc) != crc32fast::hash(&message[..HEADER_LEN + len]) {
            return Err(FrameError::Checksum);
        }
        Ok(Self {
            kind: Kind(kind),
            payload,
        })
    }

    /// Encodes the frame for one binary WebSocket message.
    ///
    /// # Panics
    ///
    /// If the payload is longer than [`MAX_PAYLOAD`].
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.payload.len() + OVERHEAD);
        bytes.put_slice(&header(self.kind, self.payload.len()));
        bytes.put_slice(self.payload);
        bytes.put_u32(crc32fast::hash(&bytes));
        bytes.freeze()
    }
}

/// Returns the header of a payload of `len` bytes.
///
/// # Panics
///
/// If `len` is over [`MAX_PAYLOAD`].
#[must_use]
pub fn header(kind: Kind, len: usize) -> [u8; HEADER_LEN] {
    let [0, high, middle, low] = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes() else {
        panic!("a payload of {len} bytes does not fit a frame")
    };
    [MAGIC[0], MAGIC[1], kind.0, high, middle, low]
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The first two bytes are not [`MAGIC`].
    #[error("frame does not begin with 55 AA")]
    Magic,
    /// The message is shorter than its length field.
    #[error("frame is shorter than its length field")]
    Truncated,
    /// Bytes follow the checksum.
    #[error("{0} bytes follow the frame")]
    Trailing(usize),
    /// The CRC-32 over header and payload does not match.
    #[error("frame checksum does not match")]
    Checksum,
    /// The payload is over the receiver's limit.
    #[error("payload of {len} bytes is over the limit of {max}")]
    TooLarge {
        /// The length in the header.
        len: usize,
        /// The receiver's limit.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1024;

    fn publish() -> Vec<u8> {
        Frame {
            kind: Kind::PUBLISH,
            payload: b"{}",
        }
        .encode()
        .to_vec()
    }

    #[test]
    fn a_heartbeat_has_the_documented_bytes() {
        let bytes = Frame {
            kind: Kind::HEARTBEAT,
            payload: &[],
        }
        .encode();
        assert_eq!(
            &bytes[..],
            [0x55, 0xAA, 0x01, 0, 0, 0, 0x6F, 0xAA, 0xD8, 0xB5]
        );
        assert_eq!(
            Frame::decode(&bytes, 0),
            Ok(Frame {
                kind: Kind::HEARTBEAT,
                payload: &[]
            })
        );
    }

    #[test]
    fn only_a_six_byte_heartbeat_lacks_a_checksum() {
        let short = [0x55, 0xAA, 0x01, 0, 0, 0];
        assert_eq!(
            Frame::decode(&short, LIMIT).map(|frame| frame.kind),
            Ok(Kind::HEARTBEAT)
        );
        let other = [0x55, 0xAA, 0x02, 0, 0, 0];
        assert_eq!(Frame::decode(&other, LIMIT), Err(FrameError::Truncated));
        let longer = [0x55, 0xAA, 0x01, 0, 0, 0, 0];
        assert_eq!(Frame::decode(&longer, LIMIT), Err(FrameError::Truncated));
    }

    #[test]
    fn wrong_magic_is_told_even_of_one_byte() {
        assert_eq!(Frame::decode(&[], LIMIT), Err(FrameError::Magic));
        assert_eq!(Frame::decode(&[0x55], LIMIT), Err(FrameError::Magic));
        let mut bytes = publish();
        bytes[1] = 0xAB;
        assert_eq!(Frame::decode(&bytes, LIMIT), Err(FrameError::Magic));
    }

    #[test]
    fn every_cut_of_a_frame_is_refused() {
        let bytes = publish();
        for end in 0..bytes.len() {
            assert!(
                Frame::decode(&bytes[..end], LIMIT).is_err(),
                "{end} bytes passed"
            );
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = publish();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&bytes, LIMIT).is_err(), "bit {bit} passed");
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = publish();
        bytes.push(0);
        assert_eq!(Frame::decode(&bytes, LIMIT), Err(FrameError::Trailing(1)));
    }

    #[test]
    fn the_header_alone_decides_on_the_limit() {
        let bytes = [0x55, 0xAA, 0x15, 0xFF, 0xFF, 0xFF];
        let refused = FrameError::TooLarge {
            len: MAX_PAYLOAD,
            max: LIMIT,
        };
        assert_eq!(Frame::decode(&bytes, LIMIT), Err(refused));
        let full = Frame {
            kind: Kind::PUBLISH,
            payload: &[b' '; LIMIT],
        }
        .encode();
        assert!(Frame::decode(&full, LIMIT).is_ok());
        assert!(Frame::decode(&full, LIMIT - 1).is_err());
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(kind: u8, payload in prop::collection::vec(any::<u8>(), 0..LIMIT)) {
            let frame = Frame { kind: Kind(kind), payload: &payload };
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes, LIMIT), Ok(frame));
        }

        #[test]
        fn random_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), magic: bool) {
            let mut bytes = bytes;
            if magic {
                bytes.splice(0..0, MAGIC);
            }
            let _ = Frame::decode(&bytes, LIMIT);
        }
    }
}
