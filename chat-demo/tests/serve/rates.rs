//! Rate limits.

use chat_demo_client::frame::Kind;
use serde_json::json;

use crate::harness::{Client, Server, run};

impl Client {
    /// Publishes with the number as its id. Returns whether it was acknowledged.
    async fn try_publish(&mut self, number: usize) -> bool {
        let id = number.to_string();
        self.say(
            Kind::PUBLISH,
            json!({ "room": "tea", "text": "", "id": id }),
        )
        .await;
        loop {
            let (kind, payload) = self.receive().await;
            match kind {
                Kind::MESSAGE => {}
                Kind::ACK => return true,
                Kind::ERROR => {
                    assert_eq!(
                        (&payload["code"], &payload["id"]),
                        (&json!("rate_limited"), &json!(id))
                    );
                    return false;
                }
                other => panic!("unexpected {other}"),
            }
        }
    }

    /// Publishes until it is refused.
    async fn publish_until_refused(&mut self) {
        let mut number = 0;
        while self.try_publish(number).await {
            number += 1;
        }
        assert!(number >= 2, "refused after {number}");
    }
}

#[test]
fn a_connection_is_refused_and_others_are_not() {
    run(async {
        let server = Server::with(|config| config.connection_rate = 2);
        let mut ann = server.enter_room("ann", "tea").await;
        ann.publish_until_refused().await;
        let mut desk = server.enter_room("ann", "tea").await;
        assert!(desk.try_publish(0).await);
        // The connection stays open, and works again after a wait.
        while !ann.try_publish(0).await {}
    });
}

#[test]
fn a_user_is_refused_on_all_connections() {
    run(async {
        let server = Server::with(|config| config.user_rate = 2);
        let mut ann = server.enter_room("ann", "tea").await;
        let mut desk = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        // By turns, so that each has its own bound.
        while ann.try_publish(0).await && desk.try_publish(0).await {}
        assert!(bob.try_publish(0).await);
    });
}
