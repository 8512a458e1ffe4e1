//! What one member of a room got, against what it should get: every number once and in order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The widest gap that is kept in mind: a server gone mad must not take the memory.
const MAX_GAP: u64 = 1 << 20;

/// Checks the messages of one room as one member gets them.
///
/// Two numbers tell where a message belongs: its place in the room, which the server gave, and its place among its
/// publisher's own. Either alone would miss what the other shows: a loss before the numbering, a text numbered twice.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The next number of each line: line 0 is the room's, the others are the publishers'.
    next: Box<[u64]>,
    /// Numbers that were passed over, by line.
    missing: BTreeSet<(usize, u64)>,
}

/// The sums of ledgers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Messages that came, each counted once.
    pub(super) delivered: u64,
    /// Messages that came again.
    pub(super) duplicated: u64,
    /// Messages that came after a later one.
    pub(super) reordered: u64,
}

/// Where a number stands in its line; the worst comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    InOrder,
    Late,
    Again,
}

impl Ledger {
    /// A ledger for what follows the number `after`, from so many publishers.
    pub(super) fn new(after: u64, publishers: usize) -> Self {
        let mut next = vec![1; publishers + 1].into_boxed_slice();
        next[0] = after + 1;
        Self {
            next,
            missing: BTreeSet::new(),
        }
    }

    /// Whether there is such a publisher.
    pub(super) fn knows(&self, publisher: usize) -> bool {
        publisher + 1 < self.next.len()
    }

    /// The newest number of the room.
    pub(super) fn newest(&self) -> u64 {
        self.next[0] - 1
    }

    /// Enters the message `seq` of the room, the `number`th (from 1) of `publisher`.
    pub(super) fn enter(&mut self, seq: u64, publisher: usize, number: u64) -> Place {
        self.step(0, seq).max(self.step(publisher + 1, number))
    }

    fn step(&mut self, line: usize, number: u64) -> Place {
        let next = self.next[line];
        if number >= next {
            let gap = next..number.min(next.saturating_add(MAX_GAP));
            self.missing.extend(gap.map(|missed| (line, missed)));
            self.next[line] = number.saturating_add(1);
            Place::InOrder
        } else if self.missing.remove(&(line, number)) {
            Place::Late
        } else {
            Place::Again
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters messages of one publisher, as (sequence number, own number), and tells what was
    /// (delivered, duplicated, reordered).
    fn after(messages: &[(u64, u64)]) -> (u64, u64, u64) {
        let mut ledger = Ledger::new(0, 1);
        let (mut delivered, mut duplicated, mut reordered) = (0, 0, 0);
        for &(seq, number) in messages {
            match ledger.enter(seq, 0, number) {
                Place::InOrder => delivered += 1,
                Place::Late => (delivered, reordered) = (delivered + 1, reordered + 1),
                Place::Again => duplicated += 1,
            }
        }
        (delivered, duplicated, reordered)
    }

    #[test]
    fn all_in_order() {
        assert_eq!(after(&[(1, 1), (2, 2), (3, 3)]), (3, 0, 0));
    }

    #[test]
    fn a_loss_is_not_delivered() {
        assert_eq!(after(&[(1, 1), (3, 3), (4, 4)]), (3, 0, 0), "on its way");
        assert_eq!(after(&[(1, 1), (2, 3), (3, 4)]), (3, 0, 0), "unnumbered");
    }

    #[test]
    fn a_repetition_is_duplicated() {
        assert_eq!(after(&[(1, 1), (2, 2), (2, 2), (1, 1)]), (2, 2, 0));
    }

    #[test]
    fn one_text_in_two_places_is_duplicated() {
        assert_eq!(after(&[(1, 1), (2, 2), (3, 1)]), (2, 1, 0));
    }

    #[test]
    fn two_texts_in_one_place_are_one_too_many() {
        assert_eq!(after(&[(1, 1), (1, 2)]), (1, 1, 0));
    }

    #[test]
    fn a_late_one_is_reordered_and_no_loss() {
        let late = [(1, 1), (3, 3), (2, 2)];
        assert_eq!(after(&late), (3, 0, 1));
        assert_eq!(after(&[&late[..], &[(2, 2)]].concat()), (3, 1, 1));
    }

    #[test]
    fn texts_numbered_against_their_order_are_reordered() {
        assert_eq!(after(&[(1, 2), (2, 1)]), (2, 0, 1));
    }

    #[test]
    fn publishers_have_their_own_numbers() {
        let mut ledger = Ledger::new(7, 2);
        for (seq, publisher, number) in [(8, 0, 1), (9, 1, 1), (10, 1, 2)] {
            assert_eq!(ledger.enter(seq, publisher, number), Place::InOrder);
        }
        assert_eq!(ledger.newest(), 10);
    }

    #[test]
    fn a_mad_number_takes_no_memory() {
        let mut ledger = Ledger::new(0, 1);
        ledger.enter(u64::MAX, 0, 1);
        assert!(ledger.missing.len() as u64 <= MAX_GAP);
    }
}
