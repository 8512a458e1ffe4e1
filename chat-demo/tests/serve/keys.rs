//! A text that is repeated with its key is delivered once.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Client, Server, run};

/// Returns the next frames of a publisher, in order: a message by its text, or an ack by its
/// number.
async fn received(client: &mut Client, count: usize) -> Vec<Value> {
    let mut received = Vec::new();
    while received.len() < count {
        received.push(match client.receive().await {
            (Kind::MESSAGE, message) => message["text"].clone(),
            (Kind::ACK, ack) => ack["seq"].clone(),
            other => panic!("{other:?}"),
        });
    }
    received
}

async fn publish(client: &mut Client, room: &str, text: &str, key: &str) {
    let publish = json!({ "room": room, "text": text, "id": text, "key": key });
    client.say(Kind::PUBLISH, publish).await;
}

/// Runs a test with and without a data file.
async fn on_both(history: usize, test: impl AsyncFn(Server)) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Some(folder.path().join("chat.redb"));
    for data in [None, data] {
        test(Server::with(|config| {
            (config.data, config.history) = (data, history);
        }))
        .await;
    }
}

#[test]
fn repetition_is_acknowledged_as_the_first() {
    run(on_both(100, async |server| {
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        publish(&mut ann, "tea", "one", "k").await;
        // The second text may arrive before the first has its number.
        publish(&mut ann, "tea", "again", "k").await;
        publish(&mut ann, "tea", "two", "l").await;
        let expected = [json!("one"), json!(1), json!(1), json!("two"), json!(2)];
        assert_eq!(received(&mut ann, 5).await, expected);
        assert_eq!(received(&mut bob, 2).await, [json!("one"), json!("two")]);
        let stats = server.stats().await;
        assert_eq!(stats["messages"], 2, "a repetition is no message");
    }));
}

#[test]
fn repetition_over_another_connection_is_known() {
    run(on_both(100, async |server| {
        let mut ann = server.enter_room("ann", "tea").await;
        publish(&mut ann, "tea", "one", "k").await;
        received(&mut ann, 2).await;
        ann.close().await;
        let mut ann = server.enter_room("ann", "tea").await;
        publish(&mut ann, "tea", "one", "k").await;
        assert_eq!(received(&mut ann, 1).await, [json!(1)]);
    }));
}

#[test]
fn key_is_of_one_user_in_one_room() {
    run(on_both(100, async |server| {
        let mut ann = server.enter_room("ann", "tea").await;
        ann.join("milk").await;
        publish(&mut ann, "tea", "one", "k").await;
        publish(&mut ann, "milk", "other", "k").await;
        let both = received(&mut ann, 4).await;
        assert!(
            both.contains(&json!("one")) && both.contains(&json!("other")),
            "{both:?}"
        );
        let mut bob = server.enter_room("bob", "tea").await;
        publish(&mut bob, "tea", "two", "k").await;
        assert_eq!(received(&mut bob, 2).await, [json!("two"), json!(2)]);
    }));
}

#[test]
fn key_is_forgotten_with_its_message() {
    run(on_both(2, async |server| {
        let mut ann = server.enter_room("ann", "tea").await;
        for (text, key) in [("one", "k"), ("two", "l"), ("three", "m")] {
            publish(&mut ann, "tea", text, key).await;
            received(&mut ann, 2).await;
        }
        publish(&mut ann, "tea", "two", "l").await;
        assert_eq!(received(&mut ann, 1).await, [json!(2)]);
        publish(&mut ann, "tea", "one", "k").await;
        assert_eq!(received(&mut ann, 2).await, [json!("one"), json!(4)]);
    }));
}

#[test]
fn key_is_kept_in_the_file() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        for round in 0..2 {
            let server = Server::with(|config| config.data = Some(path.clone()));
            let mut ann = server.enter_room("ann", "tea").await;
            publish(&mut ann, "tea", "one", "k").await;
            let first = [json!("one"), json!(1)];
            let expected = if round == 0 { &first[..] } else { &first[1..] };
            assert_eq!(received(&mut ann, expected.len()).await, expected);
            drop(ann);
            server.stop().await.expect("no panic").expect("drained");
        }
    });
}

#[test]
fn key_of_no_use_is_refused() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        for key in [String::new(), "x".repeat(65)] {
            publish(&mut ann, "tea", "one", &key).await;
            ann.expect_error("bad_payload").await;
        }
        publish(&mut ann, "tea", "one", &"x".repeat(64)).await;
        assert_eq!(received(&mut ann, 2).await, [json!("one"), json!(1)]);
    });
}
