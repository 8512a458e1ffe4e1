//! A cluster, and a master behind a sentinel.

use std::fs;
use std::process::Command;

use chat_demo_client::Event;
use chat_demo_client::payload::ErrorCode;
use chat_demo_server::config::Config;

use crate::node::{Node, messages, next, run, say, until};
use crate::redis::{Redis, free_address};

/// Starts a cluster of three parts, each with these options.
async fn cluster(options: &[&str]) -> Vec<Redis> {
    let mut parts = Vec::new();
    while parts.len() < 3 {
        // By default it is higher than the first port by a number, and may be in use.
        let second_port = free_address().port().to_string();
        let mut all = vec![
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-port",
            &second_port,
        ];
        all.extend(options);
        let part = Redis::with(free_address(), &all).await;
        // It ends if another program has taken that port meanwhile.
        if part.ask(&["PING"]) == "PONG" {
            parts.push(part);
        }
    }
    let addresses = parts.iter().map(|part| part.address.to_string());
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(addresses)
        .arg("--cluster-yes")
        .output()
        .expect("redis-cli, of the package redis-tools");
    assert!(made.status.success(), "{made:?}");
    for part in &parts {
        until(async || part.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
    }
    parts
}

/// Makes a server use a cluster.
fn in_cluster(parts: &[Redis]) -> impl Fn(&mut Config) {
    let urls: Vec<_> = parts
        .iter()
        .map(|part| part.url().as_str().into())
        .collect();
    move |config| {
        config.redis.redis.clone_from(&urls);
        config.redis.redis_cluster = true;
    }
}

/// Returns which part of a new cluster of three has the keys of a room or server.
fn part_of(name: &str, parts: &[Redis]) -> usize {
    let slot = parts[0].ask(&["CLUSTER", "KEYSLOT", name]);
    match slot.parse().expect("a number") {
        0..=5460 => 0,
        5461..=10922 => 1,
        _ => 2,
    }
}

/// Returns names of rooms or servers whose keys are on a part.
fn names_on<const N: usize>(part: usize, parts: &[Redis]) -> [String; N] {
    let mut names = (0..).map(|number: u32| format!("n{number}"));
    [(); N].map(|()| {
        let found = names.find(|name| part_of(name, parts) == part);
        found.expect("there are more names")
    })
}

#[test]
fn rooms_are_spread_over_a_cluster() {
    run(async {
        let parts = cluster(&[]).await;
        let one = Node::with(&parts[0].url(), in_cluster(&parts)).await;
        let two = Node::with(&parts[0].url(), in_cluster(&parts)).await;
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
fn part_of_a_cluster_that_is_down_stops_only_its_rooms() {
    run(async {
        let mut parts = cluster(&["--cluster-require-full-coverage", "no"]).await;
        let [room, other, down] = names_on(0, &parts);
        let [tea, milk, up] = names_on(1, &parts);
        let mut nodes = Vec::new();
        // A server has keys of its own, which may be on the part that is down.
        for name in [down, up] {
            let with_name = |config: &mut Config| {
                in_cluster(&parts)(config);
                config.node = name;
            };
            nodes.push(Node::with(&parts[0].url(), with_name).await);
        }
        let mut ann = nodes[0].enter("ann", &room).await;
        assert_eq!(say(&mut ann, &room, &["before"]).await, [1]);
        let mut bob = nodes[0].enter("bob", &tea).await;
        let mut ida = nodes[1].enter("ida", &tea).await;
        parts[0].kill();
        let published = ann.publish(&room, "lost", Some("lost")).await;
        published.expect("it is connected");
        let mut dora = nodes[0].connect("dora").await;
        dora.join(&other, None).await.expect("it is connected");
        for seq in 1..=100 {
            assert_eq!(say(&mut bob, &tea, &["hi"]).await, [seq]);
            assert_eq!(messages(&mut ida, 1).await, [(seq, "hi".to_owned())]);
        }
        // A new room of the parts that are up.
        for node in &nodes {
            let mut client = node.enter("eve", &milk).await;
            say(&mut client, &milk, &["hi"]).await;
        }
        for client in [&mut ann, &mut dora] {
            let error = loop {
                if let Event::Error(error) = next(client).await {
                    break error;
                }
            };
            let expected = [ErrorCode::Overloaded, ErrorCode::Uncertain];
            assert!(expected.contains(&error.code()), "{error:?}");
        }
        parts[0].start_again().await;
        for node in &nodes {
            let mut client = node.connect("zoe").await;
            until(async || {
                let joined = client.join(&room, None).await;
                joined.expect("it is connected");
                matches!(next(&mut client).await, Event::Joined(_))
            })
            .await;
            say(&mut client, &room, &["hi"]).await;
        }
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
        let by_sentinel = |config: &mut Config| {
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
