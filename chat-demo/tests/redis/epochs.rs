//! A Redis that loses its data: rooms begin a new epoch, and the servers notify all members.

use std::time::Duration;

use chat_demo_client::{Client, Event, News, Position, Reconnecting, Settings};
use chat_demo_server::config::Config;

use crate::node::{Node, join, members, message, next, run, say};
use crate::proxy::Proxy;
use crate::redis::{Redis, free_address};

/// Returns a client that has joined a room.
async fn listener(node: &Node, name: &str, room: &str) -> Reconnecting {
    let builder = Client::builder(&node.url()).name(name);
    let mut client = builder.reconnecting(Settings::default()).expect("a url");
    client.join(room, None).expect("a good name");
    while !matches!(news(&mut client).await, News::Joined(_)) {}
    client
}

async fn news(client: &mut Reconnecting) -> News {
    client.next().await.expect("not the end").expect("no error")
}

/// Returns all numbers and texts up to one text, in their last epoch, and that epoch.
async fn received_until(
    client: &mut Reconnecting,
    last: &str,
) -> (Option<String>, Vec<(u64, String)>) {
    let (mut begun, mut received) = (None, Vec::new());
    loop {
        match news(client).await {
            News::Renumbered { epoch, .. } => {
                begun = Some(epoch);
                received.clear();
            }
            News::Lost { from, to, .. } => panic!("{from} to {to} are lost"),
            News::Message(message) => {
                let end = message.text == last;
                received.push((message.seq, message.text));
                if end {
                    return (begun, received);
                }
            }
            _ => {}
        }
    }
}

fn numbered(from: u64, texts: &[&str]) -> Vec<(u64, String)> {
    (from..)
        .zip(texts.iter().map(|text| (*text).to_owned()))
        .collect()
}

#[test]
fn flushed_room_begins_anew_for_all_at_once() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.enter("ann", "tea").await;
        let mut listeners = [
            listener(&one, "lea", "tea").await,
            listener(&two, "leo", "tea").await,
        ];
        say(&mut ann, "tea", &["1", "2", "3"]).await;
        for listener in &mut listeners {
            assert_eq!(
                received_until(listener, "3").await.1,
                numbered(1, &["1", "2", "3"])
            );
        }
        redis.ask(&["FLUSHALL"]);
        let texts = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(
            say(&mut ann, "tea", &texts).await,
            (1..=7).collect::<Vec<_>>()
        );
        let mut epochs = Vec::new();
        for listener in &mut listeners {
            let (epoch, received) = received_until(listener, "g").await;
            assert_eq!(received, numbered(1, &texts));
            epochs.push(epoch.expect("another epoch was announced"));
        }
        assert_eq!(epochs[0], epochs[1]);
        assert_eq!(members(&mut ann, "tea").await, ["ann", "lea", "leo"]);
    });
}

#[test]
fn members_are_restored_without_messages() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        let _bob = node.enter("bob", "tea").await;
        for lost in ["chat:{tea}:members", "chat:{tea}:users"] {
            redis.ask(&["DEL", lost]);
            assert_eq!(members(&mut ann, "tea").await, ["ann", "bob"], "{lost}");
        }
        redis.ask(&["FLUSHALL"]);
        assert_eq!(members(&mut ann, "tea").await, ["ann", "bob"]);
        redis.ask(&["FLUSHALL"]);
        let mut cat = node.connect("cat").await;
        assert_eq!(join(&mut cat, "tea", None).await.members, 3);
    });
}

#[test]
fn facts_that_are_evicted_alone_are_restored() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.connect("ann").await;
        let epoch = join(&mut ann, "tea", None).await.epoch;
        let mut bob = two.enter("bob", "tea").await;
        assert_eq!(say(&mut ann, "tea", &["1", "2"]).await, [1, 2]);
        redis.ask(&["DEL", "chat:{tea}:facts"]);
        assert_eq!(say(&mut ann, "tea", &["3"]).await, [3]);
        for seq in 1..=3 {
            assert_eq!(message(&mut bob).await.seq, seq);
        }
        assert_eq!(join(&mut bob, "tea", None).await.epoch, epoch);
        // With the keys, which have a copy of the epoch, the epoch changes and the numbers
        // continue.
        redis.ask(&["DEL", "chat:{tea}:facts", "chat:{tea}:keys"]);
        assert_eq!(say(&mut ann, "tea", &["4"]).await, [4]);
        loop {
            if let Event::Joined(joined) = next(&mut bob).await {
                assert_ne!(joined.epoch, epoch);
                break;
            }
        }
    });
}

#[test]
fn room_with_members_is_not_forgotten() {
    run(async {
        let redis = Redis::start().await;
        let short = |config: &mut Config| config.session_ttl = Duration::from_secs(3);
        let node = Node::with(&redis.url(), short).await;
        let mut ann = node.enter("ann", "tea").await;
        say(&mut ann, "tea", &["1"]).await;
        redis.ask(&["PEXPIRE", "chat:{tea}:facts", "60000"]);
        while redis
            .ask(&["PTTL", "chat:{tea}:facts"])
            .parse::<u64>()
            .expect("ms")
            <= 60_000
        {}
    });
}

#[test]
fn silent_server_learns_of_an_epoch_that_began_elsewhere() {
    run(async {
        let redis = Redis::start().await;
        let (one, two) = (
            Node::start(&redis.url()).await,
            Node::start(&redis.url()).await,
        );
        let mut ann = one.connect("ann").await;
        let before = join(&mut ann, "tea", None).await.epoch;
        redis.ask(&["FLUSHALL"]);
        let mut bob = two.connect("bob").await;
        let after = join(&mut bob, "tea", None).await;
        assert_ne!(after.epoch, before);
        until_epoch(&mut ann, &after.epoch).await;
        assert_eq!(members(&mut bob, "tea").await, ["ann", "bob"]);
    });
}

/// Waits for an announcement of an epoch.
async fn until_epoch(client: &mut Client, epoch: &str) {
    loop {
        if let Event::Joined(joined) = next(client).await
            && joined.epoch == epoch
        {
            return;
        }
    }
}

/// A Redis with the data of its last save, after a restart.
async fn forgetful() -> Redis {
    Redis::with(free_address(), &["--appendonly", "no"]).await
}

#[test]
fn numbers_that_are_given_again_are_of_another_epoch() {
    run(async {
        // The server that lost the newest messages notices when the others are behind it, at the
        // same number, and beyond.
        for again in [1, 3, 6] {
            let mut redis = forgetful().await;
            let proxy = Proxy::start(redis.address).await;
            let two = Node::start(&proxy.url()).await;
            let mut ann = two.connect("ann").await;
            let before = join(&mut ann, "tea", None).await.epoch;
            let mut lea = listener(&two, "lea", "tea").await;
            say(&mut ann, "tea", &["1", "2"]).await;
            redis.ask(&["SAVE"]);
            say(&mut ann, "tea", &["3", "4", "5"]).await;
            received_until(&mut lea, "5").await;
            proxy.stall();
            redis.kill();
            redis.start_again().await;
            let one = Node::start(&redis.url()).await;
            let mut bob = one.connect("bob").await;
            let joined = join(&mut bob, "tea", None).await;
            assert_eq!((joined.seq, &joined.epoch), (2, &before), "the older state");
            let mut leo = listener(&one, "leo", "tea").await;
            let texts = ["a", "b", "c", "d", "e", "f"];
            say(&mut bob, "tea", &texts[..again]).await;
            proxy.go_on();
            two.until_ready().await;
            // Both servers have begun the same epoch before a client publishes.
            let after = loop {
                if let News::Renumbered { epoch, .. } = news(&mut lea).await {
                    break epoch;
                }
            };
            assert_ne!(after, before);
            until_epoch(&mut bob, &after).await;
            say(&mut bob, "tea", &["end"]).await;
            let mut all = vec!["1", "2"];
            all.extend(&texts[..again]);
            all.push("end");
            assert_eq!(received_until(&mut lea, "end").await.1, numbered(1, &all));
            let (epoch, received) = received_until(&mut leo, "end").await;
            assert_eq!(
                (epoch.as_ref(), received),
                (Some(&after), numbered(1, &all))
            );
            // Lost messages are not taken for messages that have their numbers now.
            let seen = Position {
                epoch: before,
                seq: 5,
            };
            let mut cat = one.connect("cat").await;
            assert!(!join(&mut cat, "tea", Some(seen)).await.recovered);
        }
    });
}
