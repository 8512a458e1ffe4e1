//! Scripts that run atomically in Redis. Each documents its arguments.

use redis::Script;

/// All of them; they are named by their hash, which is taken once.
pub(super) struct Scripts {
    pub(super) append: Script,
    pub(super) read: Script,
    pub(super) fork: Script,
    pub(super) members: Script,
    pub(super) users: Script,
    pub(super) open_session: Script,
    pub(super) beat: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            append: of_room(include_str!("scripts/append.lua")),
            read: of_room(include_str!("scripts/read.lua")),
            fork: Script::new(include_str!("scripts/fork.lua")),
            members: Script::new(include_str!("scripts/members.lua")),
            users: Script::new(include_str!("scripts/users.lua")),
            open_session: Script::new(include_str!("scripts/open_session.lua")),
            beat: Script::new(include_str!("scripts/beat.lua")),
        }
    }
}

/// A script that asks where a room stands.
fn of_room(script: &str) -> Script {
    Script::new(&format!("{}{script}", include_str!("scripts/stand.lua")))
}
