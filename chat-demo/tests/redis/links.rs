//! Acknowledged messages are not lost, doubled or skipped, whatever happens to Redis and the links
//! to it.

use chat_demo_client::Client;

use crate::load::{Acked, Talk, check, listen, publish};
use crate::node::{self, Node, run, until};
use crate::proxy::Proxy;
use crate::redis::Redis;

const LAST: &str = "the last word";

/// Starts a server with a long history.
async fn roomy(redis: &str) -> Node {
    Node::with(redis, |config| config.history = 100_000).await
}

/// Runs publishers and listeners on each server during an event, then checks the received
/// messages.
async fn under_load(nodes: &[Node], happens: impl AsyncFnOnce(&Talk)) {
    let talk = Talk::new();
    let mut listeners = Vec::new();
    let mut publishers = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        for listener in 0..3 {
            let client = Client::builder(&node.url()).name(format!("l{number}-{listener}"));
            listeners.push(listen(client, "tea", LAST));
        }
        for publisher in 0..2 {
            let who = number * 2 + publisher;
            let client = node.enter(&format!("p{who}"), "tea").await;
            publishers.push(publish(client, "tea", who, &talk));
        }
    }
    happens(&talk).await;
    talk.end();
    let mut acked = Acked::new();
    for publisher in publishers {
        for (seq, text) in publisher.await.expect("no panic") {
            let other = acked.insert(seq, text);
            assert_eq!(other, None, "two texts have the number {seq}");
        }
    }
    for node in nodes {
        node.until_ready().await;
    }
    let mut client = nodes[0].connect("last").await;
    node::join(&mut client, "tea", None).await;
    client
        .publish("tea", LAST, None)
        .await
        .expect("it is connected");
    assert!(acked.len() > 100, "only {} were said", acked.len());
    for listener in listeners {
        check(&listener.await.expect("no panic"), &acked);
    }
}

#[test]
fn twenty_kills_of_redis_lose_nothing_that_was_acknowledged() {
    run(async {
        let mut redis = Redis::start().await;
        let nodes = [roomy(&redis.url()).await, roomy(&redis.url()).await];
        let url = redis.url();
        let watching = Node::start(&url).await;
        under_load(&nodes, async |talk| {
            for _ in 0..20 {
                talk.goes_on(20).await;
                redis.kill();
                redis.start_again().await;
                watching.until_ready().await;
            }
        })
        .await;
    });
}

#[test]
fn a_cut_link_loses_no_acknowledged_message() {
    run(async {
        let redis = Redis::start().await;
        let proxy = Proxy::start(redis.address).await;
        let nodes = [roomy(&redis.url()).await, roomy(&proxy.url()).await];
        under_load(&nodes, async |talk| {
            talk.goes_on(50).await;
            proxy.stall();
            nodes[1].until_cut_off().await;
            assert!(nodes[0].is_ready().await);
            talk.goes_on(50).await;
            proxy.go_on();
            nodes[1].until_ready().await;
            talk.goes_on(50).await;
        })
        .await;
    });
}

#[test]
fn reads_go_to_the_redis_that_replaced_another() {
    run(async {
        let [old, new] = [Redis::start().await, Redis::start().await];
        let proxy = Proxy::start(old.address).await;
        let node = Node::start(&proxy.url()).await;
        let mut ann = node.enter("ann", "tea").await;
        assert_eq!(node::say(&mut ann, "tea", &["1"]).await, [1]);
        let port = old.address.port().to_string();
        new.ask(&["REPLICAOF", "127.0.0.1", &port]);
        until(async || {
            new.ask(&["INFO", "replication"])
                .contains("master_link_status:up")
        })
        .await;
        new.ask(&["REPLICAOF", "NO", "ONE"]);
        let other = Node::start(&new.url()).await;
        let mut bob = other.enter("bob", "tea").await;
        assert_eq!(node::say(&mut bob, "tea", &["2"]).await, [2]);
        // The old one still answers on the connections that it has.
        proxy.lead(new.address);
        assert_eq!(old.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
        let said = [1, 2].map(|seq| (seq, seq.to_string()));
        assert_eq!(node::messages(&mut ann, 2).await, said);
    });
}
