//! Scripts that run atomically in Redis. Each documents its arguments.

use redis::{Arg, Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, ToRedisArgs};

use super::topology::Connection;

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

/// A script, called by its hash. Unlike the script of the library, it is not loaded into all parts
/// of a cluster before it is called, which would fail when one part is down.
#[derive(Clone)]
pub(super) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// Returns a call with these keys.
    pub(super) fn call(&self, keys: &[String]) -> Call<'_> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len()).arg(keys);
        Call {
            script: self,
            command,
        }
    }
}

pub(super) struct Call<'a> {
    script: &'a Script,
    /// Names the script by its hash.
    command: Cmd,
}

impl Call<'_> {
    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Calls the script; sends its text if this Redis does not know it yet.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        connection: &mut Connection,
    ) -> RedisResult<T> {
        match self.command.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.with_text().query_async(connection).await
            }
            answer => answer,
        }
    }

    fn with_text(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.script.text);
        for arg in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                command.arg(bytes);
            }
        }
        command
    }
}
