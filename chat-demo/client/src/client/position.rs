//! The position of a program in a room.

use crate::payload::Join;

/// The last message of a room that a program has seen, from which it can recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the number, from [`Joined::epoch`](crate::payload::Joined::epoch).
    pub epoch: String,
    /// The message's number; 0 stands before the first.
    pub seq: u64,
}

/// Returns the payload that joins a room after a position.
#[must_use]
pub fn join(room: String, seen: Option<Position>) -> Join {
    let (epoch, after) = seen.map(|seen| (seen.epoch, seen.seq)).unzip();
    Join { room, after, epoch }
}
