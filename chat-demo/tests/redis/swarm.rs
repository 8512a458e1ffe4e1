//! Thousands of clients on three servers, one of which is killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use chat_demo_client::{Client, Event};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::load::{Talk, check, listen, publish};
use crate::node::{Node, message, next, run};
use crate::redis::Redis;

const CLIENTS: usize = 3_000;
const ROOMS: usize = 50;
const MESSAGES: u64 = 20;

#[test]
fn members_of_three_servers_get_one_order() {
    run(async {
        let redis = Redis::start().await;
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let name = format!("node-{number}");
            nodes.push(Node::with(&redis.url(), |config| config.node = name).await);
        }
        // Member `number` is on server `number % 3` and in room `number % 50`, so each room is on
        // each server.
        let mut entering = JoinSet::new();
        for number in 0..CLIENTS {
            let (url, room) = (nodes[number % 3].url(), format!("room-{}", number % ROOMS));
            entering.spawn(async move {
                let client = Client::builder(&url).name(format!("m{number}"));
                let mut client = client.connect().await.expect("a welcome");
                client.join(&room, None).await.expect("it is connected");
                assert!(matches!(next(&mut client).await, Event::Joined(_)));
                (number, client)
            });
        }
        let members = entering.join_all().await;
        let mut listening = JoinSet::new();
        for (number, mut client) in members {
            let room = format!("room-{}", number % ROOMS);
            // The first three members of a room publish, one on each server.
            let said = if number / ROOMS < 3 { MESSAGES } else { 0 };
            listening.spawn(async move {
                let mut received = Vec::new();
                for count in 0..3 * MESSAGES {
                    if count < said {
                        let text = format!("{number}-{count}");
                        client
                            .publish(&room, &text, None)
                            .await
                            .expect("it is connected");
                    }
                    let message = message(&mut client).await;
                    received.push((message.seq, message.text));
                }
                (number % ROOMS, received)
            });
        }
        let mut rooms: BTreeMap<usize, Vec<(u64, String)>> = BTreeMap::new();
        for (room, received) in listening.join_all().await {
            let numbers = received.iter().map(|(seq, _)| *seq);
            assert!(numbers.eq(1..=3 * MESSAGES), "room {room}: {received:?}");
            let all = rooms.entry(room).or_insert_with(|| received.clone());
            assert_eq!(*all, received);
        }
        for node in nodes {
            node.stop().await;
        }
    });
}

/// A server that is a process of its own, to be killed.
async fn process(redis: &str) -> (Child, String) {
    let mut child = Command::new(Path::new(env!("CARGO_BIN_EXE_chat-demo")))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--redis",
            redis,
            "--history",
            "100000",
            "--log-format",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    loop {
        let line = lines.next_line().await.expect("text").expect("not the end");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if let Some(url) = line["url"].as_str() {
            let url = format!("{}/ws", url.replacen("http", "ws", 1));
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, url);
        }
    }
}

#[test]
fn the_clients_of_a_server_that_is_killed_recover_on_another() {
    run(async {
        let redis = Redis::start().await;
        let other = Node::with(&redis.url(), |config| config.history = 100_000).await;
        let (mut server, url) = process(&redis.url()).await;
        // Clients of the first server reconnect to another server, as a load balancer would
        // direct them.
        let balancer = crate::proxy::Balancer::start(&[url, other.url()]).await;
        let listeners: Vec<_> = (0..10)
            .map(|number| {
                let client = Client::builder(&balancer.url()).name(format!("l{number}"));
                listen(client, "tea", "the last word")
            })
            .collect();
        let talk = Talk::new();
        let said = other.enter("ann", "tea").await;
        let publisher = publish(said, "tea", 0, &talk);
        balancer.until(10).await;
        talk.goes_on(50).await;
        server.kill().await.expect("it runs");
        balancer.until(20).await;
        talk.goes_on(50).await;
        talk.end();
        let acked = publisher.await.expect("no panic");
        let mut bob = other.enter("bob", "tea").await;
        bob.publish("tea", "the last word", None)
            .await
            .expect("it is connected");
        for listener in listeners {
            check(&listener.await.expect("no panic"), &acked);
        }
    });
}
