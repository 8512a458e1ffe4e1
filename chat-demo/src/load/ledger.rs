//! What one member of a room got, against what it should get: every number once and in order.

use std::collections::BTreeSet;

/// The widest gap that is kept in mind: a server gone mad must not take the memory.
const MAX_GAP: u64 = 1 << 20;

/// Checks the messages of one room as one member gets them.
#[derive(Debug)]
pub(super) struct Ledger {
    next: u64,
    missing: BTreeSet<u64>,
    /// By publisher: the last of its own numbers. Shows a text that was given two places in the room.
    published: Box<[u64]>,
    pub(super) counts: Counts,
}

/// The sums of ledgers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages that came, each counted once.
    pub(super) delivered: u64,
    /// Messages that came again.
    pub(super) duplicated: u64,
    /// Messages that came after a later one.
    pub(super) reordered: u64,
}

impl Ledger {
    /// A ledger for what follows the number `after`, from so many publishers.
    pub(super) fn new(after: u64, publishers: usize) -> Self {
        let published = vec![0; publishers].into_boxed_slice();
        Self {
            next: after + 1,
            missing: BTreeSet::new(),
            published,
            counts: Counts::default(),
        }
    }

    /// Enters the message `seq` of the room, the `number`th (from 1) of `publisher`.
    /// Tells whether it is a new one.
    pub(super) fn enter(&mut self, seq: u64, publisher: usize, number: u64) -> bool {
        let new = if seq < self.next {
            self.late(seq)
        } else {
            self.advance(seq, publisher, number)
        };
        *(if new {
            &mut self.counts.delivered
        } else {
            &mut self.counts.duplicated
        }) += 1;
        new
    }

    fn late(&mut self, seq: u64) -> bool {
        let missed = self.missing.remove(&seq);
        self.counts.reordered += u64::from(missed);
        missed
    }

    fn advance(&mut self, seq: u64, publisher: usize, number: u64) -> bool {
        self.missing.extend(self.next..seq.min(self.next + MAX_GAP));
        self.next = seq.saturating_add(1);
        match self.published.get_mut(publisher) {
            Some(last) if *last < number => {
                *last = number;
                true
            }
            _ => false,
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

    /// Enters messages whose numbers are their sequence numbers.
    fn after(seqs: &[u64]) -> Counts {
        let mut ledger = Ledger::new(0, 1);
        for &seq in seqs {
            ledger.enter(seq, 0, seq);
        }
        ledger.counts
    }

    #[test]
    fn all_in_order() {
        assert_eq!(
            after(&[1, 2, 3]),
            Counts {
                delivered: 3,
                duplicated: 0,
                reordered: 0
            }
        );
    }

    #[test]
    fn a_loss_is_not_delivered() {
        assert_eq!(
            after(&[1, 3, 4]),
            Counts {
                delivered: 3,
                duplicated: 0,
                reordered: 0
            }
        );
    }

    #[test]
    fn a_repetition_is_duplicated() {
        assert_eq!(
            after(&[1, 2, 2, 1]),
            Counts {
                delivered: 2,
                duplicated: 2,
                reordered: 0
            }
        );
    }

    #[test]
    fn a_late_one_is_reordered_and_no_loss() {
        assert_eq!(
            after(&[1, 3, 2, 2]),
            Counts {
                delivered: 3,
                duplicated: 1,
                reordered: 1
            }
        );
    }

    #[test]
    fn one_text_in_two_places_is_duplicated() {
        let mut ledger = Ledger::new(7, 2);
        ledger.enter(8, 0, 1);
        ledger.enter(9, 1, 1);
        ledger.enter(10, 0, 1);
        assert_eq!(
            ledger.counts,
            Counts {
                delivered: 2,
                duplicated: 1,
                reordered: 0
            }
        );
    }
}
