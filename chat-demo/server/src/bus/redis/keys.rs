//! The names of keys and channels in Redis. All names of a room share one hash tag, so that a
//! cluster stores them on one node.

use std::fmt::Write as _;

/// The channel that every server subscribes to.
pub(super) const ALL: &str = "chat:all";
const ROOM: &str = "chat:{";

/// What a room has in Redis.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `chat:{room}`: where things are announced.
    pub(super) channel: String,
}

impl Keys {
    pub(super) fn of(room: &str) -> Self {
        Self {
            channel: format!("{ROOM}{}}}", escaped(room)),
        }
    }

    /// Its epoch, its newest number, the mark of that message, and the bytes of all that are kept.
    pub(super) fn facts(&self) -> String {
        format!("{}:facts", self.channel)
    }

    /// Its messages, a stream.
    pub(super) fn log(&self) -> String {
        format!("{}:log", self.channel)
    }

    /// Numbers of its messages by their idempotency keys, and its epoch.
    pub(super) fn keys(&self) -> String {
        format!("{}:keys", self.channel)
    }

    /// The last message that a server has sent to it.
    pub(super) fn sent(&self, server: &str) -> String {
        format!("{}:sent:{server}", self.channel)
    }

    pub(super) fn members(&self) -> String {
        format!("{}:members", self.channel)
    }

    /// How often each user is there.
    pub(super) fn users(&self) -> String {
        format!("{}:users", self.channel)
    }
}

/// The servers of a name.
pub(super) fn servers(node: &str) -> String {
    format!("chat:node:{{{}}}", escaped(node))
}

/// The room whose channel this is.
pub(super) fn room_of(channel: &str) -> Option<String> {
    let escaped = channel.strip_prefix(ROOM)?.strip_suffix('}')?;
    let mut parts = escaped.split('%');
    let mut room = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        room.push(code.into());
        room.push_str(&part[2..]);
    }
    Some(room)
}

/// Without braces, which would end the tag.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '{' | '}' | '%' => {
                write!(escaped, "%{:02x}", letter as u32).expect("a String takes all");
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_its_room_and_has_one_tag() {
        for room in ["tea", "{}", "}{%7d", "100 %", "Tee für zwei"] {
            let keys = Keys::of(room);
            assert_eq!(room_of(&keys.channel).as_deref(), Some(room));
            let tag = &keys.channel["chat:{".len()..];
            assert!(tag.find('}') == Some(tag.len() - 1), "{}", keys.channel);
        }
        assert_eq!(Keys::of("tea").log(), "chat:{tea}:log");
    }

    #[test]
    fn other_channels_are_of_no_room() {
        for other in [ALL, "chat:{tea}:log", "news", "chat:{a%g}", "chat:{a%1}"] {
            assert_eq!(room_of(other), None, "{other}");
        }
    }
}
