//! A cluster, and a master behind a sentinel.

use std::fs;
use std::process::Command;

use crate::node::{Node, messages, run, until};
use crate::redis::{Redis, free_address};

#[test]
fn rooms_are_spread_over_a_cluster() {
    run(async {
        let mut parts = Vec::new();
        while parts.len() < 3 {
            // The nodes of a cluster use a second port, higher by this number.
            let address = free_address();
            if address.port() < u16::MAX - 10_000 {
                let options = [
                    "--cluster-enabled",
                    "yes",
                    "--cluster-config-file",
                    "nodes.conf",
                ];
                parts.push(Redis::with(address, &options).await);
            }
        }
        let addresses = parts.iter().map(|part| part.address.to_string());
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .arg("--cluster-yes")
            .output()
            .expect("redis-cli, of the package redis-tools");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stdout)
        );
        for part in &parts {
            until(async || part.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
        }
        let urls: Vec<_> = parts.iter().map(Redis::url).collect();
        let in_cluster = |config: &mut chat_demo_server::config::Config| {
            config.redis.redis = urls.iter().map(|url| url.as_str().into()).collect();
            config.redis.redis_cluster = true;
        };
        let one = Node::with(&urls[0], in_cluster).await;
        let two = Node::with(&urls[0], in_cluster).await;
        for number in 0..10 {
            let room = format!("room {{{number}}}");
            let mut ann = one.enter("ann", &room).await;
            let mut bob = two.enter("bob", &room).await;
            for text in ["1", "2", "3"] {
                ann.publish(&room, text, None)
                    .await
                    .expect("it is connected");
            }
            let said: Vec<_> = (1..=3).map(|seq| (seq, seq.to_string())).collect();
            assert_eq!(messages(&mut ann, 3).await, said);
            assert_eq!(messages(&mut bob, 3).await, said);
        }
        let keys = parts.iter().map(|part| part.ask(&["DBSIZE"]));
        let keys: Vec<u64> = keys.map(|count| count.parse().expect("a number")).collect();
        assert!(keys.iter().all(|count| *count > 0), "{keys:?}");
    });
}

#[test]
fn a_sentinel_names_the_master() {
    run(async {
        let master = Redis::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("sentinel.conf");
        let monitor = format!(
            "sentinel monitor rooms 127.0.0.1 {} 1\n",
            master.address.port()
        );
        fs::write(&settings, monitor).expect("a writable folder");
        let settings = settings.to_str().expect("text");
        let sentinel = Redis::sentinel(free_address(), settings).await;
        let by_sentinel = |config: &mut chat_demo_server::config::Config| {
            config.redis.redis_sentinel = Some("rooms".to_owned());
        };
        let one = Node::with(&sentinel.url(), by_sentinel).await;
        let two = Node::with(&sentinel.url(), by_sentinel).await;
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        ann.publish("tea", "hi", None)
            .await
            .expect("it is connected");
        for client in [&mut ann, &mut bob] {
            assert_eq!(messages(client, 1).await, [(1, "hi".to_owned())]);
        }
        assert_ne!(master.ask(&["DBSIZE"]), "0");
    });
}
