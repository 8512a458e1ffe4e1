//! The labels of counters, and their names in the metrics.

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::ErrorCode;
use strum::VariantArray;

use super::counts::Label;
use crate::error::{CloseReason, Refused};

/// Counts by the variants of an enumeration, under their names.
macro_rules! labels {
    ($($type:ty = $key:literal,)*) => {
        $(
            impl Label for $type {
                const KEY: &'static str = $key;

                fn names() -> impl Iterator<Item = &'static str> {
                    Self::VARIANTS.iter().map(|value| value.into())
                }

                fn place(self) -> usize {
                    let place = Self::VARIANTS.iter().position(|value| *value == self);
                    place.expect("each variant is among all")
                }
            }
        )*
    };
}

labels! {
    Refused = "reason",
    CloseReason = "reason",
    ErrorCode = "code",
}

pub(crate) const UNKNOWN: Kind = Kind(0x00);

impl Label for Kind {
    const KEY: &'static str = "type";

    fn names() -> impl Iterator<Item = &'static str> {
        let named = Self::NAMED.iter().map(|(_, name)| *name);
        named.chain(["unknown"])
    }

    fn place(self) -> usize {
        let mut named = Self::NAMED.iter();
        let place = named.position(|(kind, _)| *kind == self);
        place.unwrap_or(Self::NAMED.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tally::Counts;

    /// Counts values by name, and returns those with a count.
    fn counted<L: Label>(values: impl IntoIterator<Item = L>) -> Vec<&'static str> {
        let counts = Counts::<L>::default();
        values.into_iter().for_each(|value| counts.inc(value));
        let names: HashSet<_> = counts.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), L::names().count(), "{names:?}");
        let counted = counts.iter().filter(|(_, count)| *count == 1);
        counted.map(|(name, _)| name).collect()
    }

    #[test]
    fn value_is_counted_under_its_own_name() {
        assert_eq!(counted([CloseReason::NotUtf8]), ["not_utf8"]);
        assert_eq!(counted([Refused::NotWebSocket]), ["not_websocket"]);
        assert_eq!(counted([Kind::BYE]), ["bye"]);
        assert_eq!(counted([UNKNOWN]), ["unknown"]);
        assert_eq!(counted([Kind(0xFF)]), ["unknown"]);
        // Behind the number that is not used.
        assert_eq!(counted([ErrorCode::Uncertain]), ["uncertain"]);
    }

    #[test]
    fn every_value_has_a_counter() {
        let all = ErrorCode::VARIANTS.iter().copied();
        assert_eq!(counted(all).len(), ErrorCode::VARIANTS.len());
        let all = Kind::NAMED.iter().map(|(kind, _)| *kind);
        assert_eq!(counted(all.chain([UNKNOWN])).len(), Kind::NAMED.len() + 1);
    }

    #[test]
    fn codes_are_named_as_in_error_frames() {
        for code in ErrorCode::VARIANTS {
            assert_eq!(serde_json::json!(code), <&str>::from(code));
        }
    }
}
