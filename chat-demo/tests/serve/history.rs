//! Earlier messages, for clients that reconnect or join late.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};

impl Client {
    /// Joins after a message, in the epoch of an earlier `joined`.
    async fn come_back(&mut self, room: &str, after: u64, joined: &Value) -> Value {
        let join = json!({ "room": room, "after": after, "epoch": joined["epoch"] });
        self.say(Kind::JOIN, join).await;
        self.expect(Kind::JOINED).await
    }

    async fn expect_texts(&mut self, texts: impl IntoIterator<Item = u64>) {
        for seq in texts {
            let message = self.expect(Kind::MESSAGE).await;
            assert_eq!(message["seq"], seq);
            assert_eq!(message["text"], seq.to_string());
        }
    }

    /// Publishes the numbers and reads them back.
    async fn say_numbers(&mut self, room: &str, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers.clone() {
            self.publish(room, &number.to_string()).await;
        }
        self.expect_texts(numbers).await;
    }
}

#[test]
fn returning_client_gets_missed_then_new_messages() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        ann.say_numbers("tea", 1..=3).await;
        bob.expect_texts(1..=3).await;
        let seen = bob.join("tea").await;
        drop(bob);
        ann.say_numbers("tea", 4..=6).await;

        let mut bob = server.enter("bob").await;
        let joined = bob.come_back("tea", 3, &seen).await;
        assert_eq!(
            (&joined["recovered"], &joined["seq"]),
            (&json!(true), &json!(6))
        );
        bob.expect_texts(4..=6).await;
        ann.say_numbers("tea", 7..=7).await;
        bob.expect_texts(7..=7).await;
    });
}

#[test]
fn a_room_without_members_keeps_its_numbers() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say_numbers("tea", 1..=3).await;
        let seen = ann.join("tea").await;
        ann.close().await;
        server.until(|stats| stats["rooms"] == 0).await;

        let mut bob = server.enter("bob").await;
        assert_eq!(bob.come_back("tea", 1, &seen).await["recovered"], true);
        bob.expect_texts(2..=3).await;
        bob.say_numbers("tea", 4..=4).await;
    });
}

#[test]
fn late_client_learns_that_messages_are_gone() {
    run(async {
        let server = Server::with(|config| config.history = 2);
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say_numbers("tea", 1..=5).await;
        let seen = ann.join("tea").await;
        // After 3, messages 4 and 5 are kept. After 2, message 3 is not. 9 does not exist yet.
        for (after, recovered) in [(3, true), (2, false), (9, false)] {
            let mut bob = server.enter("bob").await;
            let joined = bob.come_back("tea", after, &seen).await;
            assert_eq!(joined["recovered"], recovered, "after {after}");
            if recovered {
                bob.expect_texts(4..=5).await;
            }
        }
    });
}

#[test]
fn recovery_larger_than_the_outbox_evicts_no_client() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 8);
        let mut ann = server.enter_room("ann", "tea").await;
        for number in 1..=20 {
            ann.say_numbers("tea", number..=number).await;
        }
        let seen = ann.join("tea").await;
        let mut bob = server.enter("bob").await;
        assert_eq!(bob.come_back("tea", 1, &seen).await["recovered"], false);
        // Pages return all of it.
        bob.say(
            Kind::HISTORY,
            json!({ "room": "tea", "before": 6, "limit": 4 }),
        )
        .await;
        bob.expect_texts(2..=5).await;
        bob.say(Kind::HISTORY, json!({ "room": "tea", "limit": 1000 }))
            .await;
        bob.expect_texts(17..=20).await;
        ann.say_numbers("tea", 21..=21).await;
        bob.expect_texts(21..=21).await;
    });
}

#[test]
fn history_is_for_members() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        ann.say(Kind::HISTORY, json!({ "room": "tea", "limit": 1 }))
            .await;
        ann.expect_error("not_member").await;
        ann.join("tea").await;
        ann.say(Kind::HISTORY, json!({ "room": "tea" })).await;
        ann.expect_error("bad_payload").await;
    });
}

impl Client {
    /// Joins a room, publishes one long text, and leaves.
    async fn pass_by(&mut self, room: &str, text: &str) {
        self.join(room).await;
        self.publish(room, text).await;
        self.expect(Kind::MESSAGE).await;
        self.say(Kind::LEAVE, json!({ "room": room })).await;
    }
}

#[test]
fn one_guest_does_not_evict_messages_of_others() {
    run(async {
        let server = Server::with(|config| {
            config.history_bytes = 400_000;
            config.history_user_bytes = 100_000;
        });
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say_numbers("tea", 1..=10).await;
        let mut eve = server.enter("eve").await;
        let text = "x".repeat(10_000);
        for number in 0..100 {
            eve.pass_by(&format!("of eve {number}"), &text).await;
        }
        let bytes = server.stats().await["history_bytes"].as_u64();
        assert!(bytes <= Some(110_000), "{bytes:?}");
        ann.say(Kind::HISTORY, json!({ "room": "tea", "limit": 10 }))
            .await;
        ann.expect_texts(1..=10).await;
        ann.say_numbers("tea", 11..=11).await;
    });
}

#[test]
fn rooms_that_were_left_are_bounded() {
    run(async {
        let server = Server::with(|config| config.history_rooms = 20);
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say_numbers("tea", 1..=3).await;
        ann.say(Kind::LEAVE, json!({ "room": "tea" })).await;
        let mut eve = server.enter("eve").await;
        for number in 0..200 {
            eve.pass_by(&format!("of eve {number}"), "x").await;
        }
        let messages = server.stats().await["history_messages"].as_u64();
        assert!(messages <= Some(3 + 21), "{messages:?}");
        // Other clients have left fewer rooms than eve.
        assert_eq!(ann.join("tea").await["seq"], 3);
        assert_eq!(eve.join("of eve 199").await["seq"], 1);
        assert_eq!(eve.join("of eve 0").await["seq"], 0);
    });
}
