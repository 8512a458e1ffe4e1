//! The heartbeat of this server in Redis. The answers show whether Redis works, and whether another
//! server has the same name.

use std::collections::HashMap;

use redis::RedisResult;

use super::keys;
use super::scripts::Script;
use super::topology::Connection;

/// How long a server that says nothing is remembered, in milliseconds.
const LIFE_MS: u64 = 10_000;

pub(super) struct Presence {
    beat: Script,
    /// Names this server, and this life of it.
    server: String,
    /// How things are announced.
    publish: &'static str,
    node: String,
    /// Other servers of the same name, with the times until which they are remembered.
    others: HashMap<String, u64>,
    /// Whether one of them lives: that is said once.
    doubled: bool,
}

impl Presence {
    pub(super) fn new(beat: Script, server: String, publish: &'static str, node: &str) -> Self {
        Self {
            beat,
            server,
            publish,
            node: node.to_owned(),
            others: HashMap::new(),
            doubled: false,
        }
    }

    pub(super) async fn beat(&mut self, connection: &mut Connection) -> RedisResult<()> {
        let server = &self.server;
        let servers: Vec<(String, u64)> = self
            .beat
            .call(&[keys::servers(&self.node)])
            .arg(server)
            .arg(LIFE_MS)
            .arg(self.publish)
            .invoke(connection)
            .await?;
        let others: HashMap<_, _> = servers
            .into_iter()
            .filter(|(other, _)| other != server)
            .collect();
        self.compare(others);
        Ok(())
    }

    /// A server that wrote since the last check is alive. An entry without writes may be of this
    /// server, before a restart.
    fn compare(&mut self, others: HashMap<String, u64>) {
        let lives = others
            .iter()
            .any(|(other, until)| self.others.get(other).is_some_and(|before| before < until));
        self.others = others;
        if lives && !self.doubled {
            let node = &self.node;
            tracing::error!(
                node,
                "another server has the same name; give each server its own --node"
            );
        }
        self.doubled = lives || self.doubled && !self.others.is_empty();
    }
}
