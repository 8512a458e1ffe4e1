//! Checks that a member of a room gets every message once and in order.

use std::collections::BTreeSet;

/// The widest gap to remember: a faulty server must not exhaust the memory.
const MAX_GAP: u64 = 1 << 20;

/// Checks the messages of one room as one member gets them.
///
/// Each message has two numbers: the server's, in the room, and its publisher's own. The server's
/// number alone would miss a loss before the numbering; the publisher's, a text numbered twice.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The next number of each sequence: sequence 0 is the room's, the rest are the publishers'.
    next: Box<[u64]>,
    /// Skipped numbers, by sequence.
    missing: BTreeSet<(usize, u64)>,
}

/// The place of a number in its sequence, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    InOrder,
    Late,
    Again,
}

impl Ledger {
    /// Creates a ledger for the messages after number `after`, from so many publishers.
    pub(super) fn new(after: u64, publishers: usize) -> Self {
        let mut next = vec![1; publishers + 1].into_boxed_slice();
        next[0] = after + 1;
        Self {
            next,
            missing: BTreeSet::new(),
        }
    }

    /// Returns whether there is a publisher of this number.
    pub(super) fn knows(&self, publisher: usize) -> bool {
        publisher + 1 < self.next.len()
    }

    pub(super) fn newest(&self) -> u64 {
        self.next[0] - 1
    }

    /// Adds the message `seq` of the room, the `number`th (from 1) of `publisher`.
    pub(super) fn add(&mut self, seq: u64, publisher: usize, number: u64) -> Place {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters messages of one publisher, as (sequence number, own number). Returns the counts
    /// (delivered, duplicated, reordered).
    fn after(messages: &[(u64, u64)]) -> (u64, u64, u64) {
        let mut ledger = Ledger::new(0, 1);
        let (mut delivered, mut duplicated, mut reordered) = (0, 0, 0);
        for &(seq, number) in messages {
            match ledger.add(seq, 0, number) {
                Place::InOrder => delivered += 1,
                Place::Late => (delivered, reordered) = (delivered + 1, reordered + 1),
                Place::Again => duplicated += 1,
            }
        }
        (delivered, duplicated, reordered)
    }

    #[test]
    fn messages_in_order_are_clean() {
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
    fn two_texts_with_one_number_are_duplicated() {
        assert_eq!(after(&[(1, 1), (1, 2)]), (1, 1, 0));
    }

    #[test]
    fn a_late_message_is_reordered_and_not_lost() {
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
            assert_eq!(ledger.add(seq, publisher, number), Place::InOrder);
        }
        assert_eq!(ledger.newest(), 10);
    }

    #[test]
    fn an_absurd_number_uses_no_memory() {
        let mut ledger = Ledger::new(0, 1);
        ledger.add(u64::MAX, 0, 1);
        assert!(ledger.missing.len() as u64 <= MAX_GAP);
    }
}
