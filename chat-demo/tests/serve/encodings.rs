//! Texts that are longer in some encodings.

use chat_demo_client::frame::Kind;
use chat_demo_client::payload::{self, Ack, Alert, Message, OrderUpdate, Publish};

use crate::harness::{Server, run};
use crate::subprotocols::Binary;

fn publish(text: String) -> Publish {
    Publish {
        room: "tea".to_owned(),
        text,
        id: Some("one".to_owned()),
        key: None,
    }
}

#[test]
fn text_too_long_in_json_gets_no_number() {
    run(async {
        let server = Server::start();
        let mut bob = server.enter_room("bob", "tea").await;
        let mut eve = Binary::enter(&server, "eve").await;
        eve.join("tea", None).await;
        // 44 KB in Protobuf, 264 KB in JSON: more than an outbox.
        eve.say(&publish("\u{1}".repeat(44_000))).await;
        let refused = eve.receive::<payload::Error>().await;
        assert_eq!(refused.code, i32::from(payload::ErrorCode::BadPayload));
        assert_eq!(refused.id.as_deref(), Some("one"));
        let update = OrderUpdate {
            order: "\u{1}".repeat(44_000),
            room: Some("tea".to_owned()),
            ..OrderUpdate::default()
        };
        eve.say(&update).await;
        eve.receive::<payload::Error>().await;
        // The longest text that fits: a control character takes six bytes.
        let longest = "\u{1}".repeat(65_536 / 6);
        eve.say(&publish(longest.clone())).await;
        assert_eq!(eve.receive::<Message>().await.seq, 1);
        assert_eq!(eve.receive::<Ack>().await.seq, 1);
        assert_eq!(bob.expect(Kind::MESSAGE).await["text"], longest);
        assert_eq!(server.stats().await["drops"]["slow_consumer"], 0);
    });
}

#[test]
fn text_too_long_for_a_frame_of_json_is_refused() {
    run(async {
        let server = Server::with(|config| {
            config.max_payload = 4 << 20;
            config.outbox_bytes = 8 << 20;
        });
        let mut bob = server.enter_room("bob", "tea").await;
        let mut eve = Binary::enter(&server, "eve").await;
        eve.join("tea", None).await;
        // 18 MB in JSON: more than the length of a frame can say.
        eve.say(&publish("\u{1}".repeat(3_000_000))).await;
        eve.receive::<payload::Error>().await;
        bob.publish("tea", "hi").await;
        assert_eq!(bob.expect(Kind::MESSAGE).await["seq"], 1);
        assert_eq!(server.stats().await["panics"], 0);
    });
}

#[test]
fn error_does_not_repeat_all_that_was_wrong() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let state = serde_json::json!({ "state": "x".repeat(60_000) });
        ann.say(Kind::USER_STATE, state).await;
        let error = ann.expect_error("bad_payload").await;
        let message = error["message"].as_str().expect("a text");
        assert!(message.len() < 300, "{} bytes", message.len());
        // The server refuses guests before it checks the length of an alert.
        let mut eve = Binary::enter(&server, "eve").await;
        let alert = Alert {
            text: "\u{1}".repeat(44_000),
            ..Alert::default()
        };
        eve.say(&alert).await;
        eve.receive::<payload::Error>().await;
    });
}
