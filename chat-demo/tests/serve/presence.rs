//! Presence of users.

use chat_demo_client::frame::Kind;
use serde_json::json;

use crate::harness::{Client, Server, run};

impl Client {
    async fn expect_presence(&mut self, user: &str, event: &str) {
        let presence = self.expect(Kind::PRESENCE).await;
        assert_eq!(
            presence,
            json!({ "room": "tea", "user": user, "event": event })
        );
    }
}

#[test]
fn members_get_joins_and_leaves() {
    run(async {
        let server = Server::with(|config| config.presence_limit = 10);
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        ann.expect_presence("bob", "joined").await;
        bob.say(Kind::LEAVE, json!({ "room": "tea" })).await;
        ann.expect_presence("bob", "left").await;
        bob.join("tea").await;
        ann.expect_presence("bob", "joined").await;
        // Without a close.
        drop(bob);
        ann.expect_presence("bob", "left").await;
    });
}

#[test]
fn a_user_with_two_connections_joins_and_leaves_once() {
    run(async {
        let server = Server::with(|config| config.presence_limit = 10);
        let mut ann = server.enter_room("ann", "tea").await;
        let phone = server.enter_room("bob", "tea").await;
        ann.expect_presence("bob", "joined").await;
        let desk = server.enter_room("bob", "tea").await;
        phone.close().await;
        desk.close().await;
        ann.expect_presence("bob", "left").await;
        ann.publish("tea", "gone").await;
        ann.expect(Kind::MESSAGE).await;
    });
}

#[test]
fn large_rooms_are_quiet_about_it() {
    run(async {
        let server = Server::with(|config| config.presence_limit = 1);
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        ann.expect_presence("bob", "joined").await;
        let eve = server.enter_room("eve", "tea").await;
        drop(eve);
        bob.publish("tea", "hi").await;
        for client in [&mut ann, &mut bob] {
            client.expect(Kind::MESSAGE).await;
        }
    });
}
