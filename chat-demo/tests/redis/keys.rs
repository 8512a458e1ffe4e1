//! Idempotency keys on several servers.

use chat_demo_client::payload::ErrorCode;
use chat_demo_client::{Client, Event};

use crate::node::{Node, ack, message, next, run, say};
use crate::proxy::Proxy;
use crate::redis::Redis;

/// Publishes one text with one key.
async fn publish(client: &mut Client) {
    let published = client.publish_with_key("tea", "one", Some("1"), Some("k"));
    published.await.expect("it is connected");
}

#[test]
fn text_that_timed_out_is_uncertain_and_delivered_once() {
    run(async {
        let redis = Redis::start().await;
        let proxy = Proxy::start(redis.address).await;
        let one = Node::start(&proxy.url()).await;
        let two = Node::start(&redis.url()).await;
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        // The server is connected, and Redis has loaded the script.
        assert_eq!(say(&mut ann, "tea", &["zero"]).await, [1]);
        assert_eq!(message(&mut bob).await.seq, 1);
        proxy.stall();
        publish(&mut ann).await;
        loop {
            match next(&mut ann).await {
                Event::Error(error) => {
                    assert_eq!(error.code(), ErrorCode::Uncertain, "{error:?}");
                    assert_eq!(error.id.as_deref(), Some("1"));
                    break;
                }
                Event::Ack(ack) => panic!("{ack:?}"),
                _ => {}
            }
        }
        // Delayed messages arrive now.
        proxy.go_on();
        one.until_ready().await;
        publish(&mut ann).await;
        assert_eq!(ack(&mut ann).await.seq, 2);
        bob.publish("tea", "two", None)
            .await
            .expect("it is connected");
        let received = [message(&mut bob).await, message(&mut bob).await];
        assert_eq!(
            received.map(|message| (message.seq, message.text)),
            [(2, "one".to_owned()), (3, "two".to_owned())]
        );
    });
}

#[test]
fn key_is_known_on_each_server() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        for node in [&one, &two] {
            let mut ann = node.enter("ann", "tea").await;
            publish(&mut ann).await;
            assert_eq!(ack(&mut ann).await.seq, 1);
        }
        let mut bob = two.enter("bob", "tea").await;
        let published = bob.publish_with_key("tea", "two", None, Some("k"));
        published.await.expect("it is connected");
        assert_eq!(message(&mut bob).await.seq, 2, "it is another user's");
        assert_eq!(
            redis.ask(&["HLEN", "chat:{tea}:keys"]),
            "3",
            "the epoch, and two keys"
        );
    });
}

#[test]
fn messages_sent_together_keep_order_and_keys() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        for text in &texts {
            let published = ann.publish("tea", text, Some(text)).await;
            published.expect("it is connected");
            publish(&mut ann).await;
        }
        // The first text is 1, the one with the key is 2, and its repetitions have no number.
        let mut expected = vec![("0", 1), ("one", 2)];
        expected.extend(texts.iter().map(String::as_str).zip(2..).skip(1));
        let (mut acked, mut received) = (0, Vec::new());
        while acked < 2 * texts.len() || received.len() < expected.len() {
            match next(&mut ann).await {
                Event::Ack(ack) if ack.id == "1" && acked % 2 == 1 => {
                    assert_eq!(ack.seq, 2, "it is sent again");
                    acked += 1;
                }
                Event::Ack(ack) => {
                    assert_eq!(ack.id, texts[acked / 2]);
                    acked += 1;
                }
                Event::Message(message) => received.push((message.text.clone(), message.seq)),
                Event::Error(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        let received: Vec<_> = received.iter().map(|(text, seq)| (&**text, *seq)).collect();
        assert_eq!(received, expected);
        // Each call asks once for the last message of the server.
        let stats = redis.ask(&["INFO", "commandstats"]);
        let (_, calls) = stats.split_once("cmdstat_get:calls=").expect("calls");
        let calls: usize = calls.split(',').next().unwrap().parse().expect("a number");
        assert!(calls < 2 * texts.len(), "{calls} calls");
    });
}

#[test]
fn large_messages_are_kept_up_to_their_bytes() {
    run(async {
        // What Redis keeps of a room at least, and the length of a text.
        const KEPT: usize = 8 << 20;
        const LEN: usize = 30_000;
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        let count = |of: &[&str]| redis.ask(of).parse::<usize>().expect("a number");
        let kept = || count(&["XLEN", "chat:{tea}:log"]);
        publish(&mut ann).await;
        ack(&mut ann).await;
        let text = "x".repeat(LEN);
        for _ in 0..2 * KEPT / LEN {
            say(&mut ann, "tea", &[&text]).await;
            assert!(kept() <= 1 + KEPT * 9 / 8 / LEN, "{}", kept());
        }
        assert!(kept() >= KEPT * 15 / 16 / LEN, "{}", kept());
        assert_eq!(count(&["HLEN", "chat:{tea}:keys"]), 1, "the epoch");
        // What is not counted any more is counted again.
        let before = kept();
        redis.ask(&["HDEL", "chat:{tea}:facts", "bytes"]);
        say(&mut ann, "tea", &["hi"]).await;
        let bytes = count(&["HGET", "chat:{tea}:facts", "bytes"]);
        assert!(bytes > before * LEN && bytes < KEPT * 9 / 8, "{bytes}");
        // Messages that expired are not counted.
        redis.ask(&["DEL", "chat:{tea}:log"]);
        say(&mut ann, "tea", &["hi"]).await;
        assert!(count(&["HGET", "chat:{tea}:facts", "bytes"]) < LEN);
    });
}

#[test]
fn key_is_forgotten_with_its_message() {
    run(async {
        // The messages that Redis keeps of a room at least, for servers that were disconnected.
        const KEPT: u64 = 4096;
        // Redis forgets as many at a time.
        const TRIMMED: u64 = 64;
        let redis = Redis::start().await;
        let node = Node::with(&redis.url(), |config| {
            config.outbox_frames = 20_000;
            config.outbox_bytes = 64 << 20;
        })
        .await;
        let mut ann = node.enter("ann", "tea").await;
        let acked = async |client: &mut Client| {
            publish(client).await;
            ack(client).await.seq
        };
        assert_eq!((acked(&mut ann).await, acked(&mut ann).await), (1, 1));
        for _ in 1..KEPT {
            ann.publish("tea", "hi", None)
                .await
                .expect("it is connected");
        }
        assert_eq!(acked(&mut ann).await, 1, "it is the oldest that is kept");
        for _ in 1..TRIMMED {
            say(&mut ann, "tea", &["2"]).await;
        }
        assert_eq!(say(&mut ann, "tea", &["2"]).await, [KEPT + TRIMMED]);
        assert_eq!(redis.ask(&["HLEN", "chat:{tea}:keys"]), "1", "the epoch");
        assert_eq!(acked(&mut ann).await, KEPT + TRIMMED + 1);
        // Keys that outlive their messages match no other messages.
        redis.ask(&["DEL", "chat:{tea}:facts", "chat:{tea}:log"]);
        assert_eq!(say(&mut ann, "tea", &["3"]).await, [1]);
        assert_eq!(acked(&mut ann).await, 2);
    });
}
