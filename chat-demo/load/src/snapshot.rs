//! The counts of a run: each process reports its own, and their sum is the run's.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Kinds of errors that are listed by name; more are only counted.
const MAX_KINDS: usize = 16;

/// What has happened so far. All counts only grow; the latencies are of one interval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// Clients that joined, that failed to, and that joined and left.
    pub(super) joined: u64,
    pub(super) failed: u64,
    pub(super) left: u64,
    pub(super) rooms: BTreeMap<usize, Room>,
    /// Messages that arrived, each counted once.
    pub(super) delivered: u64,
    pub(super) duplicated: u64,
    /// Messages that arrived after a later one.
    pub(super) reordered: u64,
    /// Slow readers that the server dropped.
    pub(super) dropped_slow: u64,
    pub(super) reconnects: u64,
    pub(super) errors: BTreeMap<String, u64>,
    /// The time of the last delivery, on the shared clock.
    pub(super) last_delivery: u64,
    pub(super) cpu_seconds: f64,
    /// Latencies in microseconds with their counts, since the previous snapshot.
    pub(super) latencies: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Room {
    /// Members that must get every message.
    pub(super) members: u64,
    pub(super) sent: u64,
    /// Sent messages that the server acknowledged or refused.
    pub(super) answered: u64,
    pub(super) refused: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) sent: u64,
    pub(super) answered: u64,
    /// The expected deliveries: one for each accepted message and member of its room.
    pub(super) expected: u64,
    pub(super) delivered: u64,
}

impl Snapshot {
    pub(super) fn add_error(&mut self, kind: String) {
        let is_known = self.errors.len() < MAX_KINDS || self.errors.contains_key(&kind);
        let kind = if is_known { kind } else { "others".to_owned() };
        *self.errors.entry(kind).or_default() += 1;
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    pub(super) fn sums_since(&self, before: &Self) -> Sums {
        let mut sums = Sums {
            delivered: self.delivered - before.delivered,
            ..Sums::default()
        };
        for (number, room) in &self.rooms {
            let before = before.rooms.get(number).copied().unwrap_or_default();
            let sent = room.sent - before.sent;
            let refused = room.refused - before.refused;
            sums.sent += sent;
            sums.answered += room.answered - before.answered;
            sums.expected += sent.saturating_sub(refused) * room.members;
        }
        sums
    }
}

impl AddAssign<&Self> for Snapshot {
    fn add_assign(&mut self, other: &Self) {
        self.joined += other.joined;
        self.failed += other.failed;
        self.left += other.left;
        for (number, of) in &other.rooms {
            let room = self.rooms.entry(*number).or_default();
            room.members += of.members;
            room.sent += of.sent;
            room.answered += of.answered;
            room.refused += of.refused;
        }
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.dropped_slow += other.dropped_slow;
        self.reconnects += other.reconnects;
        for (kind, number) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += number;
        }
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.cpu_seconds += other.cpu_seconds;
        self.latencies.extend_from_slice(&other.latencies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(members: u64, sent: u64, delivered: u64) -> Snapshot {
        let room = Room {
            members,
            sent,
            answered: sent,
            refused: 0,
        };
        let mut snapshot = Snapshot::default();
        snapshot.rooms.insert(0, room);
        snapshot.delivered = delivered;
        snapshot
    }

    #[test]
    fn rooms_of_several_processes_are_added_up() {
        // One of them has the publisher.
        let mut all = snapshot(3, 10, 30);
        all += &snapshot(2, 0, 20);
        let sums = all.sums_since(&Snapshot::default());
        assert_eq!((sums.sent, sums.expected, sums.delivered), (10, 50, 50));
    }

    #[test]
    fn a_step_counts_from_its_start() {
        let (before, now) = (snapshot(3, 10, 30), snapshot(3, 14, 40));
        let sums = now.sums_since(&before);
        assert_eq!((sums.sent, sums.expected, sums.delivered), (4, 12, 10));
    }
}
