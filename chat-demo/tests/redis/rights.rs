//! A Redis that answers, but refuses commands that the servers need.

use std::process::Stdio;
use std::time::Duration;

use chat_demo_client::payload::ErrorCode;
use chat_demo_client::{Client, Event};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::node::{Node, join, next, run, until};
use crate::redis::{Redis, free_address};

/// Creates a user of Redis with these rights only, and returns its address.
fn limited(redis: &Redis, rights: &[&str]) -> String {
    let user = ["ACL", "SETUSER", "ann", "reset", "on", ">secret", "~*"];
    assert_eq!(redis.ask(&[&user, rights].concat()), "OK");
    format!("redis://ann:secret@{}", redis.address)
}

async fn expect_overloaded(client: &mut Client) {
    match next(client).await {
        Event::Error(error) => assert_eq!(error.code(), ErrorCode::Overloaded, "{error:?}"),
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits until `/readyz` gives a reason, and checks that the figures agree.
async fn until_trouble(node: &Node, reason: &str) {
    until(async || node.get("/readyz").await.contains(reason)).await;
    assert!(node.get("/readyz").await.starts_with("HTTP/1.1 503"));
    let figures = node.get("/metrics").await;
    assert!(figures.contains("\nchat_redis_up 0\n"), "{figures}");
}

/// Each request is refused, and succeeds once the user of Redis has all rights.
async fn refuses_until_it_may(redis: &Redis, rights: &[&str], reason: &str) {
    let node = Node::cut_off(&limited(redis, rights), |config| {
        // A request that waits for this time-out exceeds the time limit of the test.
        config.request_timeout = Duration::from_secs(3600);
    });
    until_trouble(&node, reason).await;
    let mut ann = node.connect("ann").await;
    ann.join("tea", None).await.expect("it is connected");
    expect_overloaded(&mut ann).await;
    limited(redis, &["+@all", "allchannels"]);
    node.until_ready().await;
    join(&mut ann, "tea", None).await;
    node.stop().await;
}

#[test]
fn without_channel_rights_joins_are_refused_with_a_reason() {
    run(async {
        let redis = Redis::start().await;
        let rights = ["+@all", "resetchannels"];
        refuses_until_it_may(&redis, &rights, "Redis refuses what this server writes: ").await;
    });
}

#[test]
fn without_subscribe_rights_joins_are_refused_with_a_reason() {
    run(async {
        let redis = Redis::start().await;
        let rights = ["+@all", "allchannels", "-subscribe"];
        refuses_until_it_may(&redis, &rights, "Redis refuses subscriptions: ").await;
    });
}

#[test]
fn rights_that_are_lost_later_are_noticed() {
    run(async {
        let redis = Redis::start().await;
        let url = limited(&redis, &["+@all", "allchannels"]);
        let node = Node::start(&url).await;
        let mut ann = node.enter("ann", "tea").await;
        limited(&redis, &["+@all", "resetchannels"]);
        until_trouble(&node, "Redis ").await;
        ann.join("milk", None).await.expect("it is connected");
        expect_overloaded(&mut ann).await;
    });
}

#[test]
fn a_full_redis_is_reported_until_it_has_space() {
    run(async {
        let redis = Redis::start().await;
        let node = Node::start(&redis.url()).await;
        redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        until_trouble(&node, "OOM").await;
        redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        node.until_ready().await;
        assert!(node.get("/metrics").await.contains("\nchat_redis_up 1\n"));
    });
}

#[test]
fn a_read_only_replica_is_reported() {
    run(async {
        let master = Redis::start().await;
        let port = master.address.port().to_string();
        let replica = Redis::with(free_address(), &["--replicaof", "127.0.0.1", &port]).await;
        let node = Node::cut_off(&replica.url(), |_| ());
        until_trouble(&node, "READONLY").await;
        let mut ann = node.connect("ann").await;
        ann.join("tea", None).await.expect("it is connected");
        expect_overloaded(&mut ann).await;
        replica.ask(&["REPLICAOF", "NO", "ONE"]);
        node.until_ready().await;
        join(&mut ann, "tea", None).await;
    });
}

/// A server as a process, and its log.
fn process(args: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_chat-demo"))
        .args(["--listen", "127.0.0.1:0"])
        .args(args)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it is built");
    let stdout = server.stdout.take().expect("it is piped");
    (server, BufReader::new(stdout).lines())
}

/// Returns the first line that contains a text.
async fn line(lines: &mut Lines<BufReader<ChildStdout>>, wanted: &str) -> String {
    loop {
        let line = lines.next_line().await.expect("text");
        let line = line.expect("the server goes on");
        assert!(!line.contains("secret"), "{line}");
        if line.contains(wanted) {
            return line;
        }
    }
}

#[test]
fn the_log_reports_refusals_of_redis() {
    run(async {
        let redis = Redis::start().await;
        let url = limited(&redis, &["+@all", "resetchannels"]);
        let (_server, mut lines) = process(&["--redis", &url]);
        let refused = "WARN Redis refuses what this server writes: ";
        let refused = line(&mut lines, refused).await;
        assert!(refused.contains("channel"), "{refused}");
    });
}

#[test]
fn the_log_reports_two_servers_with_one_name() {
    run(async {
        let redis = Redis::start().await;
        let url = redis.url();
        let args = ["--redis", &url, "--node", "n"];
        let (mut dead, mut lines) = process(&args);
        line(&mut lines, "connected to Redis").await;
        dead.kill().await.expect("it runs");
        // A restarted server finds no other of its name, and two running ones do.
        let (_one, mut lines_of_one) = process(&args);
        line(&mut lines_of_one, "connected to Redis").await;
        let (_two, mut lines_of_two) = process(&args);
        for lines in [&mut lines_of_one, &mut lines_of_two] {
            let error = line(lines, "ERROR").await;
            assert!(
                error.contains("another server has the same name"),
                "{error}"
            );
        }
    });
}
