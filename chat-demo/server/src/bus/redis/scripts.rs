//! Scripts that run atomically in Redis. Each documents its arguments.

use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, ToRedisArgs};

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

    /// Returns a call with this first key.
    pub(super) fn key(&self, key: impl ToRedisArgs) -> Call<'_> {
        let mut call = Call {
            script: self,
            keys: Vec::new(),
            args: Vec::new(),
        };
        call.key(key);
        call
    }
}

pub(super) struct Call<'a> {
    script: &'a Script,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl Call<'_> {
    pub(super) fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        key.write_redis_args(&mut self.keys);
        self
    }

    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        arg.write_redis_args(&mut self.args);
        self
    }

    /// Calls the script; sends its text if this Redis does not know it yet.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        connection: &mut Connection,
    ) -> RedisResult<T> {
        let called = self.command("EVALSHA", &self.script.hash);
        match called.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let called = self.command("EVAL", &self.script.text);
                called.query_async(connection).await
            }
            answer => answer,
        }
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command
            .arg(script)
            .arg(self.keys.len())
            .arg(&self.keys)
            .arg(&self.args);
        command
    }
}
