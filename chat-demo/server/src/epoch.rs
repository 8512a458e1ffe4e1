//! Epochs: which numbering of a room a number belongs to.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Names one numbering of a room. A room begins a new epoch whenever its numbering begins again, so
/// a number without its epoch proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// A message of a room, by the epoch and the number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: Epoch,
    /// 0 stands before the first message.
    pub(crate) seq: u64,
}

impl Epoch {
    /// Returns an epoch that no room has had before.
    pub(crate) fn new() -> Self {
        // Keyed by the system's entropy: a clock would repeat itself after a restart.
        Self(RandomState::new().build_hasher().finish())
    }

    /// Reads what [`Display`](fmt::Display) writes; `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let epoch = Self(u64::from_str_radix(text, 16).ok()?);
        // One epoch has one text.
        (epoch.to_string() == text).then_some(epoch)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }
}

/// The form that clients see, which they only compare.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_epoch_names_it_alone() {
        for epoch in [Epoch(0), Epoch(7), Epoch(u64::MAX), Epoch::new()] {
            assert_eq!(Epoch::parse(&epoch.to_string()), Some(epoch));
        }
        for other in ["", "7", "+000000000000007", "000000000000000G", "0"] {
            assert_eq!(Epoch::parse(other), None, "{other}");
        }
    }

    #[test]
    fn each_epoch_is_new() {
        let epochs: std::collections::HashSet<_> = (0..1000).map(|_| Epoch::new().0).collect();
        assert_eq!(epochs.len(), 1000);
    }
}
