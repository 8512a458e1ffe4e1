//! Frames between clients and the server.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, run};

#[test]
fn hello_join_publish_leave() {
    run(async {
        let server = Server::with(|config| config.node = "here".to_owned());
        let mut ann = server.connect().await;
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        let welcome = ann.expect(Kind::WELCOME).await;
        assert_eq!(welcome["user"], "ann");
        assert_eq!(welcome["node"], "here");
        assert_eq!(welcome["heartbeat_ms"], 30_000);
        assert_eq!(welcome["idle_ms"], 75_000);
        assert_eq!(welcome["max_payload"], 65_536);

        let mut joined = ann.join("tea").await;
        assert!(
            joined["epoch"]
                .take()
                .as_str()
                .is_some_and(|epoch| !epoch.is_empty())
        );
        assert_eq!(
            joined,
            json!({
                "room": "tea", "seq": 0, "members": 1, "recovered": false, "epoch": null
            })
        );

        ann.say(
            Kind::PUBLISH,
            json!({ "room": "tea", "text": "hi", "id": "7" }),
        )
        .await;
        let message = ann.expect(Kind::MESSAGE).await;
        assert_eq!(
            (&message["room"], &message["seq"]),
            (&json!("tea"), &json!(1))
        );
        assert_eq!(
            (&message["user"], &message["text"]),
            (&json!("ann"), &json!("hi"))
        );
        assert!(message["ts"].as_u64() > Some(1_700_000_000_000));
        assert_eq!(
            ann.expect(Kind::ACK).await,
            json!({ "id": "7", "room": "tea", "seq": 1 })
        );

        ann.say(Kind::LEAVE, json!({ "room": "tea" })).await;
        ann.say(
            Kind::PUBLISH,
            json!({ "room": "tea", "text": "still here?", "id": "8" }),
        )
        .await;
        assert_eq!(ann.expect_error("not_member").await["id"], "8");
        server.until(|stats| stats["rooms"] == 0).await;
        ann.close().await;
        server.until(|stats| stats["connections"] == 0).await;
    });
}

#[test]
fn heartbeats_are_answered_with_and_without_a_checksum() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        ann.say(Kind::HEARTBEAT, Value::Null).await;
        assert_eq!(ann.expect(Kind::HEARTBEAT).await, Value::Null);
        ann.send(Message::Binary(vec![0x55, 0xAA, 0x01, 0, 0, 0].into()))
            .await;
        assert_eq!(ann.expect(Kind::HEARTBEAT).await, Value::Null);
    });
}

#[test]
fn blank_name_of_a_guest_is_refused() {
    run(async {
        for knows_tokens in [false, true] {
            let server = Server::with(|config| {
                config.secret.token_secret =
                    knows_tokens.then(|| "x".repeat(32).into_bytes().into());
                config.allow_guests = true;
            });
            let mut guest = server.connect().await;
            for blank in [" ", "\u{3000}\u{200b}", "\u{202e}"] {
                guest.say(Kind::HELLO, json!({ "name": blank })).await;
                let error = guest.expect_error("bad_payload").await;
                let why = error["message"].as_str().expect("a reason");
                assert!(why.contains("is not blank"), "{why}");
            }
            guest
                .say(Kind::HELLO, json!({ "name": "\u{200f}ann" }))
                .await;
            guest.expect(Kind::WELCOME).await;
        }
    });
}

#[test]
fn guests_get_names_of_their_own() {
    run(async {
        let server = Server::start();
        let mut users = Vec::new();
        for hello in [json!({}), json!({ "name": "" }), json!({ "name": null })] {
            let mut guest = server.connect().await;
            guest.say(Kind::HELLO, hello).await;
            users.push(guest.expect(Kind::WELCOME).await["user"].clone());
        }
        assert_eq!(users, ["guest-1", "guest-2", "guest-3"]);
    });
}

#[test]
fn all_members_get_the_same_order_without_gaps() {
    run(async {
        const EACH: u32 = 200;
        // The outbox holds all messages: members read only after all are published, and a busy
        // machine may not write earlier.
        let server = Server::with(|config| config.outbox_frames = 1_000);
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        for number in 0..EACH {
            ann.publish("tea", &format!("ann {number}")).await;
            bob.publish("tea", &format!("bob {number}")).await;
        }
        for seq in 1..=2 * EACH {
            let (to_ann, to_bob) = (
                ann.expect(Kind::MESSAGE).await,
                bob.expect(Kind::MESSAGE).await,
            );
            assert_eq!(to_ann, to_bob);
            assert_eq!(to_ann["seq"], seq);
        }
    });
}

#[test]
fn a_member_gets_all_messages_after_joined() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter("bob").await;
        for number in 0..100 {
            ann.publish("tea", &number.to_string()).await;
        }
        let seq = bob.join("tea").await["seq"].as_u64().expect("a number");
        ann.publish("tea", "the last").await;
        for expected in seq + 1..=101 {
            assert_eq!(bob.expect(Kind::MESSAGE).await["seq"], expected);
        }
    });
}

#[test]
fn rooms_are_kept_apart() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "coffee").await;
        ann.publish("tea", "hi").await;
        ann.expect(Kind::MESSAGE).await;
        bob.publish("coffee", "hello").await;
        assert_eq!(bob.expect(Kind::MESSAGE).await["text"], "hello");
        bob.publish("tea", "may I?").await;
        bob.expect_error("not_member").await;
    });
}

#[test]
fn members_are_listed_sorted_and_once() {
    run(async {
        let server = Server::start();
        let mut bob = server.enter_room("bob", "tea").await;
        let _ann = server.enter_room("ann", "tea").await;
        let _second_bob = server.enter_room("bob", "tea").await;
        bob.say(Kind::MEMBERS, json!({ "room": "tea" })).await;
        assert_eq!(
            bob.expect(Kind::MEMBERS).await,
            json!({ "room": "tea", "users": ["ann", "bob"] })
        );
        bob.say(Kind::MEMBERS, json!({ "room": "coffee" })).await;
        bob.expect_error("not_member").await;
    });
}

#[test]
fn joining_twice_is_no_second_membership() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        ann.publish("tea", "hi").await;
        ann.expect(Kind::MESSAGE).await;
        let joined = ann.join("tea").await;
        assert_eq!((&joined["members"], &joined["seq"]), (&json!(1), &json!(1)));
        ann.publish("tea", "once").await;
        assert_eq!(ann.expect(Kind::MESSAGE).await["seq"], 2);
        ann.say(Kind::HEARTBEAT, Value::Null).await;
        ann.expect(Kind::HEARTBEAT).await;
    });
}

#[test]
fn order_updates_go_to_the_room_named_or_to_orders() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "orders").await;
        let mut bob = server.enter_room("bob", "orders").await;
        bob.join("kitchen").await;
        ann.say(
            Kind::ORDER_UPDATE,
            json!({ "order": "1", "status": "paid" }),
        )
        .await;
        let update = json!({ "order": "1", "status": "paid", "room": "orders" });
        assert_eq!(ann.expect(Kind::ORDER_UPDATE).await, update);
        assert_eq!(bob.expect(Kind::ORDER_UPDATE).await, update);
        bob.say(
            Kind::ORDER_UPDATE,
            json!({ "order": "1", "status": "cooked", "room": "kitchen" }),
        )
        .await;
        assert_eq!(bob.expect(Kind::ORDER_UPDATE).await["room"], "kitchen");
    });
}

#[test]
fn a_user_state_goes_to_all_rooms_of_the_user() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let mut bob = server.enter_room("bob", "tea").await;
        let mut eve = server.enter_room("eve", "coffee").await;
        ann.join("tea").await;
        ann.join("coffee").await;
        ann.say(
            Kind::USER_STATE,
            json!({ "state": "busy", "user": "another user" }),
        )
        .await;
        for client in [&mut bob, &mut eve] {
            let state = client.expect(Kind::USER_STATE).await;
            assert_eq!(state, json!({ "state": "busy", "user": "ann" }));
        }
    });
}

#[test]
fn pings_are_answered() {
    run(async {
        use futures_util::StreamExt;
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        ann.send(Message::Ping("there?".into())).await;
        let pong = ann.0.next().await.expect("not the end").expect("WebSocket");
        assert_eq!(pong, Message::Pong("there?".into()));
    });
}
