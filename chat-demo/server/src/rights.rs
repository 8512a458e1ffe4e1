//! The rooms that a token allows: the patterns of its `rooms` claim.

use std::sync::Arc;

use chat_demo_client::payload::{ErrorCode, is_name};

use crate::error::Refusal;

/// The rooms that a user may join: all, or the rooms that match a pattern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms(Option<Arc<[String]>>);

impl Rooms {
    /// Returns the rooms that the patterns of a token match, or all rooms if it has none. Returns
    /// `None` if one of the patterns is not valid.
    pub(crate) fn new(patterns: Option<Vec<String>>) -> Option<Self> {
        let mut all = patterns.iter().flatten();
        all.all(|pattern| is_pattern(pattern))
            .then(|| Self(patterns.map(Arc::from)))
    }

    pub(crate) fn allows(&self, room: &str) -> bool {
        let mut patterns = self.0.iter().flat_map(|patterns| patterns.iter());
        self.0.is_none() || patterns.any(|pattern| matches(pattern, room))
    }

    /// Refuses a room without a valid name, and a room that no pattern matches.
    pub(crate) fn check(&self, room: &str) -> Result<(), Refusal> {
        check_name(room)?;
        if self.allows(room) {
            return Ok(());
        }
        let message = format!("the token does not allow the room {room:?}");
        Err(Refusal::new(ErrorCode::Forbidden, message))
    }
}

/// Checks the name of a room or a user.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    if is_name(name) {
        return Ok(());
    }
    let message = "a name has 1 to 64 bytes, no control characters, and is not blank";
    Err(Refusal::new(ErrorCode::BadPayload, message))
}

/// Returns whether a text is the name of a room, or the beginning of names and a `*`.
pub(crate) fn is_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.contains('*') && (text == "*" || is_name(name))
}

fn matches(pattern: &str, room: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => room.starts_with(beginning),
        None => pattern == room,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_a_name_or_a_beginning() {
        let rooms = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|it| (*it).to_owned());
            Rooms::new(Some(patterns.collect()))
        };
        let some = rooms(&["lobby", "team-*"]).expect("valid");
        for room in ["lobby", "team-", "team-red"] {
            assert!(some.allows(room), "{room}");
        }
        for room in ["lobby2", "Lobby", "team", "a-team-", "*"] {
            assert!(!some.allows(room), "{room}");
        }
        let all = [rooms(&["*"]).expect("valid"), Rooms::default()];
        assert!(all.iter().all(|rooms| rooms.allows("tea")));
        assert!(!rooms(&[]).expect("valid").allows("tea"));
        for pattern in ["", "a*b", "**", "a\n"] {
            assert!(rooms(&["lobby", pattern]).is_none(), "{pattern:?}");
        }
    }
}
