//! A Redis that disappears and returns while the servers run.

use chat_demo_client::payload::ErrorCode;
use chat_demo_client::{Client, Event};
use chat_demo_server::config::WhenAway;

use crate::node::{Node, join, message, messages, next, run};
use crate::redis::{Redis, free_address};

/// Publishes a text until it is stored and delivered.
async fn say(client: &mut Client, room: &str, text: &str) -> u64 {
    loop {
        let published = client.publish(room, text, Some(text)).await;
        published.expect("it is connected");
        let (mut kept, mut received) = (None, false);
        loop {
            match next(client).await {
                Event::Ack(ack) => kept = Some(ack.seq),
                Event::Message(message) => received |= message.text == text,
                Event::Error(error) => {
                    assert_eq!(error.code(), ErrorCode::Overloaded, "{error:?}");
                    break;
                }
                _ => {}
            }
            if let (Some(seq), true) = (kept, received) {
                return seq;
            }
        }
    }
}

async fn expect_overloaded(client: &mut Client) {
    match next(client).await {
        Event::Error(error) => assert_eq!(error.code(), ErrorCode::Overloaded, "{error:?}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn without_redis_nothing_can_be_said_and_then_all_goes_on() {
    run(async {
        let mut redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        assert_eq!(say(&mut ann, "tea", "1").await, 1);
        assert_eq!(message(&mut bob).await.seq, 1);
        redis.kill();
        one.until_cut_off().await;
        assert!(
            one.get("/readyz")
                .await
                .ends_with("no connection to Redis\n")
        );
        assert!(one.get("/healthz").await.ends_with("ok\n"));
        ann.publish("tea", "lost?", Some("2"))
            .await
            .expect("it is connected");
        expect_overloaded(&mut ann).await;
        // A client cannot join a room that is new to the server.
        ann.join("milk", None).await.expect("it is connected");
        expect_overloaded(&mut ann).await;
        ann.members("tea").await.expect("it is connected");
        expect_overloaded(&mut ann).await;
        redis.start_again().await;
        one.until_ready().await;
        two.until_ready().await;
        assert_eq!(say(&mut bob, "tea", "2").await, 2);
        assert_eq!(messages(&mut ann, 1).await, [(2, "2".to_owned())]);
        join(&mut ann, "milk", None).await;
        assert_eq!(say(&mut ann, "milk", "3").await, 1);
    });
}

#[test]
fn a_server_waits_for_a_redis_that_comes_later() {
    run(async {
        let address = free_address();
        let node = Node::cut_off(&format!("redis://{address}"), |_| ());
        let mut ann = node.connect("ann").await;
        ann.join("tea", None).await.expect("it is connected");
        expect_overloaded(&mut ann).await;
        let _redis = Redis::with(address, &[]).await;
        node.until_ready().await;
        join(&mut ann, "tea", None).await;
        assert_eq!(say(&mut ann, "tea", "hi").await, 1);
    });
}

#[test]
fn local_rooms_begin_a_new_epoch_when_redis_is_back() {
    run(async {
        let mut redis = Redis::start().await;
        let local = |config: &mut chat_demo_server::config::Config| {
            config.redis.redis_away = WhenAway::Local;
        };
        let node = Node::with(&redis.url(), local).await;
        let mut ann = node.enter("ann", "tea").await;
        let mut bob = node.connect("bob").await;
        let shared = join(&mut bob, "tea", None).await.epoch;
        assert_eq!(say(&mut ann, "tea", "1").await, 1);
        assert_eq!(message(&mut bob).await.seq, 1);
        redis.kill();
        node.until_cut_off().await;
        let alone = say(&mut ann, "tea", "2").await;
        let Event::Joined(joined) = next(&mut bob).await else {
            panic!("the numbers are not those of the others any more")
        };
        assert_ne!(joined.epoch, shared);
        assert_eq!(messages(&mut bob, 1).await, [(alone, "2".to_owned())]);
        redis.start_again().await;
        // The other servers lack the messages of the outage.
        let joined = loop {
            if let Event::Joined(joined) = next(&mut bob).await {
                break joined;
            }
        };
        assert_eq!((joined.seq, joined.recovered), (1, false));
        assert_eq!(joined.epoch, shared);
        assert_eq!(say(&mut ann, "tea", "3").await, 2);
        assert_eq!(messages(&mut bob, 1).await, [(2, "3".to_owned())]);
    });
}

#[test]
fn a_redis_that_lost_everything_begins_rooms_anew() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        for seq in 1..=3 {
            assert_eq!(say(&mut ann, "tea", &seq.to_string()).await, seq);
        }
        let address = redis.address;
        drop(redis);
        node.until_cut_off().await;
        let _empty = Redis::with(address, &[]).await;
        let joined = loop {
            if let Event::Joined(joined) = next(&mut ann).await {
                break joined;
            }
        };
        assert_eq!((joined.seq, joined.recovered), (0, false));
        assert_eq!(say(&mut ann, "tea", "again").await, 1);
    });
}

#[test]
fn a_full_redis_refuses_and_takes_more_when_it_has_space() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        assert_eq!(say(&mut ann, "tea", "1").await, 1);
        redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        let published = ann.publish("tea", "2", Some("2")).await;
        published.expect("it is connected");
        expect_overloaded(&mut ann).await;
        redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(say(&mut ann, "tea", "3").await, 2);
    });
}

#[test]
fn the_figures_say_whether_redis_is_there() {
    run(async {
        let mut redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let _ann = node.enter("ann", "tea").await;
        let figures = node.get("/metrics").await;
        assert!(figures.contains("\nchat_redis_up 1\n"), "{figures}");
        assert!(
            figures.contains("\nchat_redis_read_connections 1\n"),
            "{figures}"
        );
        assert!(
            figures.contains("chat_pool_capacity{pool=\"redis_reads\"} 4"),
            "{figures}"
        );
        redis.kill();
        node.until_cut_off().await;
        assert!(node.get("/metrics").await.contains("\nchat_redis_up 0\n"));
        assert!(node.get("/api/stats").await.contains(r#""redis_up":false"#));
    });
}
