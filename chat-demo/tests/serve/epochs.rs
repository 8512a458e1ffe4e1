//! Epochs of a room's numbers.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};

impl Client {
    /// Publishes this many texts, and reads them.
    async fn publish_some(&mut self, room: &str, count: usize) {
        for _ in 0..count {
            self.publish(room, "hi").await;
            self.expect(Kind::MESSAGE).await;
        }
    }

    /// Joins after a message; `null` omits its epoch.
    async fn join_after(&mut self, room: &str, after: u64, epoch: &Value) -> Value {
        let mut join = json!({ "room": room, "after": after });
        if !epoch.is_null() {
            join["epoch"] = epoch.clone();
        }
        self.say(Kind::JOIN, join).await;
        self.expect(Kind::JOINED).await
    }
}

#[test]
fn restart_without_data_recovers_nothing() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let epoch = ann.join("tea").await["epoch"].take();
        ann.publish_some("tea", 5).await;
        drop(ann);
        server.stop().await.expect("no panic").expect("drained");

        let server = Server::start();
        let mut bob = server.enter_room("bob", "tea").await;
        bob.publish_some("tea", 8).await;
        let mut ann = server.enter("ann").await;
        let joined = ann.join_after("tea", 5, &epoch).await;
        assert_eq!(joined["seq"], 8);
        assert_eq!(joined["recovered"], false, "1 to 5 are others");
        assert_ne!(joined["epoch"], epoch);
    });
}

#[test]
fn number_without_its_epoch_recovers_nothing() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let epoch = ann.join("tea").await["epoch"].take();
        ann.publish_some("tea", 2).await;
        let other = server.enter("bob").await.join("milk").await["epoch"].take();
        for wrong in [&Value::Null, &other, &json!(""), &json!("nonsense")] {
            let mut bob = server.enter("bob").await;
            let joined = bob.join_after("tea", 1, wrong).await;
            assert_eq!(
                (&joined["recovered"], &joined["epoch"]),
                (&json!(false), &epoch)
            );
        }
        let mut bob = server.enter("bob").await;
        assert_eq!(bob.join_after("tea", 1, &epoch).await["recovered"], true);
        assert_eq!(bob.expect(Kind::MESSAGE).await["seq"], 2);
    });
}

#[test]
fn an_epoch_outlives_the_members() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let epoch = ann.join("tea").await["epoch"].take();
        ann.publish_some("tea", 1).await;
        ann.close().await;
        server.until(|stats| stats["rooms"] == 0).await;
        let mut bob = server.enter("bob").await;
        assert_eq!(bob.join("tea").await["epoch"], epoch);
    });
}
