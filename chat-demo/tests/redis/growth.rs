//! Keys of the servers in Redis expire.

use std::collections::BTreeSet;

use chat_demo_client::Event;

use crate::node::{Node, next, run};
use crate::redis::Redis;

#[test]
fn keys_in_redis_expire_and_do_not_grow() {
    run(async {
        let redis = Redis::start().await;
        let mut sizes = BTreeSet::new();
        for life in 1..=5 {
            let node = Node::start(&redis.url()).await;
            let mut ann = node.enter("ann", "tea").await;
            let published = ann.publish("tea", "hi", Some("1")).await;
            published.expect("it is connected");
            while !matches!(next(&mut ann).await, Event::Ack(ack) if ack.seq == life) {}
            ann.close().await.expect("it is connected");
            node.stop().await;
            sizes.insert(redis.ask(&["HLEN", "chat:{tea}:facts"]));
        }
        assert_eq!(sizes.len(), 1, "the facts of a room grow: {sizes:?}");
        let keys = redis.ask(&["KEYS", "*"]);
        assert!(keys.lines().count() > 2, "{keys}");
        for key in keys.lines() {
            let left: i64 = redis.ask(&["PTTL", key]).parse().expect("a number");
            // The process may have ended since.
            assert!(left > 0 || left == -2, "{key} stays");
        }
    });
}
