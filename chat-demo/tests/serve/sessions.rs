//! The bound on the connections of a user.

use chat_demo_client::frame::Kind;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, run};

impl Server {
    /// Expects the refusal of another connection of a user.
    async fn refuses(&self, name: &str) {
        let mut client = self.connect().await;
        client.say(Kind::HELLO, json!({ "name": name })).await;
        client.expect_error("overloaded").await;
        client.expect_close(1013).await;
    }
}

#[test]
fn connections_of_a_user_are_bounded() {
    run(async {
        let server = Server::with(|config| config.user_connections = 2);
        let mut desk = server.enter("ann").await;
        let phone = server.enter("ann").await;
        server.refuses("ann").await;
        let _bob = server.enter("bob").await;
        // A refused client takes no slot, and does not affect the others.
        phone.close().await;
        let _laptop = server.enter("ann").await;
        server.refuses("ann").await;
        desk.join("tea").await;
        assert_eq!(server.stats().await["drops"]["user_connections"], 2);
    });
}

#[test]
fn connection_that_panics_frees_its_slot() {
    run(async {
        let server = Server::with(|config| {
            config.user_connections = 1;
            config.debug_commands = true;
        });
        let mut ann = server.enter("ann").await;
        server.refuses("ann").await;
        ann.say(Kind::PANIC, Value::Null).await;
        while let Some(Ok(message)) = ann.0.next().await {
            assert!(!matches!(message, Message::Binary(_)));
        }
        server.until(|stats| stats["connections"] == 0).await;
        let _ann = server.enter("ann").await;
    });
}
