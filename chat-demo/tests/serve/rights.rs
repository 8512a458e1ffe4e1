//! Tokens that limit the rooms of their users.

use chat_demo_client::frame::Kind;
use serde_json::json;

use crate::harness::run;
use crate::tokens::{enter, from_now, start, token};

/// Returns a token for ann that is valid for an hour in matching rooms.
fn token_for(rooms: &[&str]) -> String {
    token(&json!({ "sub": "ann", "exp": from_now(3600), "rooms": rooms }))
}

#[test]
fn token_lets_its_user_into_its_rooms_alone() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &token_for(&["lobby", "team-*"])).await;
        for room in ["lobby", "team-red"] {
            ann.join(room).await;
            ann.publish(room, "hi").await;
            assert_eq!(ann.expect(Kind::MESSAGE).await["text"], "hi");
        }
        let requests = [
            (Kind::JOIN, json!({ "room": "tea" })),
            (
                Kind::PUBLISH,
                json!({ "room": "tea", "text": "hi", "id": "7" }),
            ),
            (Kind::HISTORY, json!({ "room": "tea", "limit": 1 })),
            (Kind::MEMBERS, json!({ "room": "tea" })),
            (
                Kind::ORDER_UPDATE,
                json!({ "order": "1", "status": "new", "room": "tea" }),
            ),
            (Kind::LEAVE, json!({ "room": "tea" })),
        ];
        for (kind, request) in requests {
            ann.say(kind, request.clone()).await;
            let error = ann.expect_error("forbidden").await;
            assert_eq!(error["id"], request["id"], "{kind}");
            let message = error["message"].as_str().expect("text");
            assert!(message.contains("\"tea\""), "{message}");
        }
    });
}

#[test]
fn fresh_token_with_fewer_rooms_takes_its_user_out() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &token_for(&["*"])).await;
        ann.join("lobby").await;
        ann.join("team-red").await;
        let fresh = token_for(&["lobby"]);
        ann.say(Kind::HELLO, json!({ "token": fresh })).await;
        let left = ann.expect_error("forbidden").await;
        assert_eq!(left["room"], "team-red");
        ann.expect(Kind::WELCOME).await;
        ann.publish("team-red", "hi").await;
        ann.expect_error("forbidden").await;
        ann.publish("lobby", "hi").await;
        ann.expect(Kind::MESSAGE).await;
        server.until(|stats| stats["rooms"] == 1).await;
    });
}

#[test]
fn rooms_that_are_no_patterns_are_refused() {
    run(async {
        let server = start();
        for rooms in [
            json!(7),
            json!(["a*b"]),
            json!([""]),
            json!("lobby"),
            json!(null),
        ] {
            let claims = json!({ "sub": "ann", "exp": from_now(3600), "rooms": rooms });
            let mut ann = server.connect().await;
            ann.say(Kind::HELLO, json!({ "token": token(&claims) }))
                .await;
            ann.expect_error("not_authenticated").await;
            ann.expect_close(1008).await;
        }
    });
}
