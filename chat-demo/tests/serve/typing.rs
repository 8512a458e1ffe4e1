//! Typing notices.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};

impl Client {
    async fn type_in(&mut self, room: &str) {
        self.say(Kind::TYPING, json!({ "room": room })).await;
    }

    /// Returns the next message that is no notice, and the number of notices before it.
    async fn notices(&mut self) -> (usize, Value) {
        let mut notices = 0;
        loop {
            match self.receive().await {
                (Kind::TYPING, notice) => {
                    assert_eq!(notice, json!({ "room": "tea", "user": "ann" }));
                    notices += 1;
                }
                (kind, payload) => {
                    assert_eq!(kind, Kind::MESSAGE, "{payload}");
                    return (notices, payload);
                }
            }
        }
    }
}

fn start() -> Server {
    Server::with(|config| config.presence_limit = 2)
}

/// Returns a client in tea that has read all earlier frames.
async fn enter(server: &Server, name: &str) -> Client {
    server.enter_room(name, "tea").await
}

#[test]
fn typing_notices_reach_other_members_at_a_limited_rate() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann").await;
        let mut bob = enter(&server, "bob").await;
        ann.expect(Kind::PRESENCE).await;
        ann.join("milk").await;
        for _ in 0..5 {
            ann.type_in("tea").await;
            ann.type_in("milk").await;
        }
        ann.publish("tea", "hi").await;
        let (notices, message) = bob.notices().await;
        assert_eq!((notices, &message["seq"]), (1, &json!(1)));
        // The user itself gets no notice.
        ann.expect(Kind::MESSAGE).await;
    });
}

#[test]
fn notices_are_not_kept() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann").await;
        let seen = ann.join("tea").await;
        ann.type_in("tea").await;
        ann.publish("tea", "hi").await;
        ann.expect(Kind::MESSAGE).await;
        let mut bob = server.enter("bob").await;
        let join = json!({ "room": "tea", "after": 0, "epoch": seen["epoch"] });
        bob.say(Kind::JOIN, join).await;
        assert_eq!(bob.expect(Kind::JOINED).await["recovered"], true);
        assert_eq!(bob.notices().await.0, 0);
        bob.say(Kind::HISTORY, json!({ "room": "tea", "limit": 9 }))
            .await;
        assert_eq!(bob.notices().await.0, 0);
    });
}

#[test]
fn large_room_has_no_notices() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann").await;
        let mut others = Vec::new();
        for name in ["bob", "cid"] {
            others.push(enter(&server, name).await);
        }
        ann.type_in("tea").await;
        ann.publish("tea", "hi").await;
        for other in &mut others {
            loop {
                match other.receive().await.0 {
                    Kind::PRESENCE => {}
                    kind => break assert_eq!(kind, Kind::MESSAGE),
                }
            }
        }
    });
}

#[test]
fn notices_are_for_members_and_are_charged() {
    run(async {
        let server = Server::with(|config| config.user_rate = 2);
        let mut ann = server.enter("ann").await;
        ann.type_in("tea").await;
        ann.expect_error("not_member").await;
        ann.join("tea").await;
        for _ in 0..10 {
            ann.type_in("tea").await;
        }
        ann.expect_error("rate_limited").await;
    });
}
