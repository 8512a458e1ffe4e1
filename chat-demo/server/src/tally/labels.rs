//! What things are counted by, under the names that figures show.

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::ErrorCode;

use super::Label;
use crate::error::{CloseReason, Refused};

impl Label for Refused {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = &Self::ALL;

    fn label(self) -> &'static str {
        self.label()
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Label for CloseReason {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = &Self::ALL;

    fn label(self) -> &'static str {
        self.label()
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Label for ErrorCode {
    const KEY: &'static str = "code";
    const ALL: &'static [Self] = &[
        Self::BadFrame,
        Self::TooLarge,
        Self::UnknownType,
        Self::BadPayload,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::UnknownRoom,
        Self::NotMember,
        Self::RateLimited,
        Self::Overloaded,
        Self::Uncertain,
    ];

    /// As in an error frame.
    fn label(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::TooLarge => "too_large",
            Self::UnknownType => "unknown_type",
            Self::BadPayload => "bad_payload",
            Self::NotAuthenticated => "not_authenticated",
            Self::Forbidden => "forbidden",
            Self::UnknownRoom => "unknown_room",
            Self::NotMember => "not_member",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Uncertain => "uncertain",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// Stands for the types that the protocol does not have.
pub(crate) const UNKNOWN: Kind = Kind(0x00);

/// The types of the protocol.
const KINDS: [Kind; 19] = [
    Kind::HEARTBEAT,
    Kind::ORDER_UPDATE,
    Kind::USER_STATE,
    Kind::ALERT,
    Kind::HELLO,
    Kind::WELCOME,
    Kind::JOIN,
    Kind::JOINED,
    Kind::LEAVE,
    Kind::PUBLISH,
    Kind::MESSAGE,
    Kind::ACK,
    Kind::ERROR,
    Kind::PRESENCE,
    Kind::HISTORY,
    Kind::MEMBERS,
    Kind::BYE,
    Kind::PANIC,
    UNKNOWN,
];

/// Where each type byte stands in `KINDS`; those that are not there, at its end.
static PLACES: [u8; 256] = places();

#[expect(clippy::cast_possible_truncation, reason = "there are few kinds")]
const fn places() -> [u8; 256] {
    let mut places = [KINDS.len() as u8 - 1; 256];
    let mut place = 0;
    while place < KINDS.len() {
        places[KINDS[place].0 as usize] = place as u8;
        place += 1;
    }
    places
}

impl Label for Kind {
    const KEY: &'static str = "type";
    const ALL: &'static [Self] = &KINDS;

    fn label(self) -> &'static str {
        match self {
            Self::HEARTBEAT => "heartbeat",
            Self::ORDER_UPDATE => "order_update",
            Self::USER_STATE => "user_state",
            Self::ALERT => "alert",
            Self::HELLO => "hello",
            Self::WELCOME => "welcome",
            Self::JOIN => "join",
            Self::JOINED => "joined",
            Self::LEAVE => "leave",
            Self::PUBLISH => "publish",
            Self::MESSAGE => "message",
            Self::ACK => "ack",
            Self::ERROR => "error",
            Self::PRESENCE => "presence",
            Self::HISTORY => "history",
            Self::MEMBERS => "members",
            Self::BYE => "bye",
            Self::PANIC => "panic",
            _ => "unknown",
        }
    }

    fn place(self) -> usize {
        PLACES[usize::from(self.0)].into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tally::Counts;

    /// Counts each value as often as its place tells, and looks where the counts went.
    fn check<L: Label>() {
        let counts = Counts::<L>::default();
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.place(), place, "{value:?}");
            counts.inc_by(*value, place);
        }
        for (place, (name, count)) in counts.iter().enumerate() {
            assert_eq!((name, count), (L::ALL[place].label(), place as u64));
        }
        let names: HashSet<_> = counts.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), L::ALL.len(), "{names:?}");
    }

    #[test]
    fn each_value_has_its_own_counter_and_name() {
        check::<Refused>();
        check::<CloseReason>();
        check::<ErrorCode>();
        check::<Kind>();
    }

    #[test]
    fn codes_are_named_as_in_error_frames() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::json!(code), code.label());
        }
    }

    #[test]
    fn each_type_byte_is_counted_under_its_name_or_as_unknown() {
        for byte in 0..=u8::MAX {
            let kind = Kind(byte);
            assert_eq!(KINDS[kind.place()].label(), kind.label(), "{kind}");
        }
    }
}
