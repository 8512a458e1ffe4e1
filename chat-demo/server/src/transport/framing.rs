//! Finds the ends of WebSocket frames in a client's bytes.

use std::mem;

/// A longer frame makes the library's buffer grow, and it would stay so.
const LARGE: u64 = 4096;
/// The first two bytes of a header, and the longest length behind them.
const MAX_START: usize = 2 + 8;
const FIN: u8 = 0x80;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const MASK_LEN: u64 = 4;

/// Follows the bytes that are read from a client, frame by frame.
#[derive(Default)]
pub(super) struct Framing {
    /// The beginning of a header, as far as it has come.
    start: [u8; MAX_START],
    start_len: u8,
    /// Of the frame whose beginning has come, the bytes that have not.
    rest: u64,
    /// The message continues in the next frame.
    fragmented: bool,
    /// There was a large frame.
    large: bool,
}

impl Framing {
    /// More bytes were read.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&first, behind)) = bytes.split_first() {
            if self.rest > 0 {
                let len =
                    usize::try_from(self.rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                self.rest -= len as u64;
                bytes = &bytes[len..];
                continue;
            }
            self.start[usize::from(self.start_len)] = first;
            self.start_len += 1;
            bytes = behind;
            self.begin_frame();
        }
    }

    /// Takes note of a frame once its length is known.
    fn begin_frame(&mut self) {
        let start = &self.start[..self.start_len.into()];
        let [first, second, length @ ..] = start else {
            return;
        };
        let payload = match (second & !MASKED, length) {
            (126, length) => <[u8; 2]>::try_from(length).map(|len| u16::from_be_bytes(len).into()),
            (127, length) => <[u8; 8]>::try_from(length).map(u64::from_be_bytes),
            (short, _) => Ok(short.into()),
        };
        let Ok(payload): Result<u64, _> = payload else {
            return;
        };
        if first & CONTROL == 0 {
            self.fragmented = first & FIN == 0;
        }
        let mask = if second & MASKED == 0 { 0 } else { MASK_LEN };
        self.rest = payload.saturating_add(mask);
        self.large |= payload > LARGE;
        self.start_len = 0;
    }

    /// Whether there was a large frame since this was true, and all bytes up to now are of whole
    /// messages.
    pub(super) fn has_passed_large(&mut self) -> bool {
        let between = self.start_len == 0 && self.rest == 0 && !self.fragmented;
        between && mem::take(&mut self.large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame: the first byte, a length and so many bytes.
    fn frame(first: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match len {
            0..126 => bytes.push(MASKED | u8::try_from(len).expect("short")),
            126..65536 => {
                bytes.push(MASKED | 0x7E);
                bytes.extend(u16::try_from(len).expect("not long").to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | 0x7F);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend([0xFF; 4]);
        bytes.extend(vec![0xFF; len]);
        bytes
    }

    #[test]
    fn the_end_of_a_large_frame_is_found_however_it_comes() {
        for len in [4097, 65535, 65536, 200_000] {
            let bytes = [frame(0x82, 5), frame(0x82, len), frame(0x89, 0)].concat();
            let large = frame(0x82, 5).len() + frame(0x82, len).len();
            for step in [1, 7, 512, bytes.len()] {
                let mut framing = Framing::default();
                let mut read = 0;
                for piece in bytes.chunks(step) {
                    framing.advance(piece);
                    read += piece.len();
                    let between = read == large || read == bytes.len() || read == large + 2;
                    let passed = framing.has_passed_large();
                    assert!(
                        !passed || between && read >= large,
                        "{len} by {step} at {read}"
                    );
                    if passed {
                        break;
                    }
                }
                assert!(read >= large, "{len} by {step}");
            }
        }
    }

    #[test]
    fn small_frames_leave_nothing_behind() {
        let mut framing = Framing::default();
        for len in [0, 1, 125, 126, 4096] {
            framing.advance(&frame(0x82, len));
            assert!(!framing.has_passed_large(), "{len}");
        }
    }

    #[test]
    fn a_message_in_pieces_has_not_passed_before_its_last() {
        let mut framing = Framing::default();
        framing.advance(&frame(0x02, 5000));
        assert!(!framing.has_passed_large());
        // A ping between the pieces ends nothing.
        framing.advance(&frame(0x89, 3));
        assert!(!framing.has_passed_large());
        framing.advance(&frame(0x80, 5));
        assert!(framing.has_passed_large());
        assert!(!framing.has_passed_large(), "only once");
    }
}
