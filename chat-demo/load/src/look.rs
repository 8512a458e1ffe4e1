//! What the members of a run have done: one process tells it, several are added up.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::ledger::Counts;

/// What has happened so far. All but the latencies are sums that only grow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Look {
    /// Clients that are or were there, that never will be, and that are gone.
    pub(super) joined: u64,
    pub(super) failed: u64,
    pub(super) left: u64,
    pub(super) rooms: BTreeMap<usize, Room>,
    pub(super) counts: Counts,
    /// Clients that were to be slow and were dropped for it.
    pub(super) dropped_slow: u64,
    /// Times that a client came back.
    pub(super) reconnects: u64,
    pub(super) errors: BTreeMap<String, u64>,
    /// When the last message came, on the clock of all.
    pub(super) last_delivery: u64,
    pub(super) cpu_seconds: f64,
    /// In microseconds, with their numbers, since the look before.
    pub(super) latencies: Vec<(u64, u64)>,
}

/// What happened in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Room {
    /// Those who are to get every message.
    pub(super) members: u64,
    pub(super) sent: u64,
    /// Of these, how many the server acknowledged or refused.
    pub(super) answered: u64,
    pub(super) refused: u64,
}

/// The sums over all rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) sent: u64,
    pub(super) answered: u64,
    /// How many deliveries the accepted messages ask for: one for each member of their room.
    pub(super) expected: u64,
    pub(super) delivered: u64,
}

impl Look {
    pub(super) fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    /// What has happened since an earlier look.
    pub(super) fn sums_since(&self, before: &Self) -> Sums {
        let mut sums = Sums {
            delivered: self.counts.delivered - before.counts.delivered,
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

impl AddAssign<&Self> for Look {
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
        self.counts += other.counts;
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

    fn look(members: u64, sent: u64, delivered: u64) -> Look {
        let room = Room {
            members,
            sent,
            answered: sent,
            refused: 0,
        };
        let mut look = Look::default();
        look.rooms.insert(0, room);
        look.counts.delivered = delivered;
        look
    }

    #[test]
    fn a_room_of_two_processes_expects_for_the_members_of_both() {
        // The publisher lives in one of them.
        let mut all = look(3, 10, 30);
        all += &look(2, 0, 20);
        let sums = all.sums_since(&Look::default());
        assert_eq!((sums.sent, sums.expected, sums.delivered), (10, 50, 50));
    }

    #[test]
    fn a_step_is_what_came_since() {
        let (before, now) = (look(3, 10, 30), look(3, 14, 40));
        let sums = now.sums_since(&before);
        assert_eq!((sums.sent, sums.expected, sums.delivered), (4, 12, 10));
    }
}
