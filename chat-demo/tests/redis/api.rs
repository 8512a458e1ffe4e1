//! The HTTP API of one of several servers.

use std::time::Duration;

use chat_demo_server::config::Config;
use chat_demo_server::issue;
use chat_demo_server::secret::SecretArgs;
use serde_json::Value;

use crate::node::{Node, message, run, until};
use crate::proxy::Proxy;
use crate::redis::Redis;

const SECRET: &str = "a secret of the tests, of no use elsewhere";

/// A token of an admin.
fn token() -> String {
    let token = issue::run(&issue::Args {
        secret: secret(),
        user: "root".to_owned(),
        admin: true,
        rooms: Vec::new(),
        time: Duration::from_secs(60),
    });
    token.expect("a token")
}

fn secret() -> SecretArgs {
    SecretArgs {
        token_secret: Some(SECRET.as_bytes().to_vec().into()),
        token_secret_file: None,
    }
}

fn with_secret(config: &mut Config) {
    config.secret = secret();
    config.allow_guests = true;
}

/// Returns the numbers of the messages in tea that a search over HTTP finds.
async fn find(node: &Node, query: &str) -> Vec<u64> {
    let path = format!("/api/rooms/tea/messages?{query}");
    let answer = node.get_as(&path, &token()).await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let messages = body["messages"].as_array().expect("messages");
    let numbers = messages.iter().map(|message| message["seq"].as_u64());
    numbers.collect::<Option<_>>().expect("numbers")
}

#[test]
fn search_without_members_reads_the_shared_history() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::with(&redis.url(), with_secret).await;
        let with_history = |config: &mut Config| {
            with_secret(config);
            config.history = 2;
        };
        let two = Node::with(&redis.url(), with_history).await;
        assert_eq!(find(&two, "text=tea").await, [0; 0]);
        let rooms = redis.ask(&["KEYS", "*:facts"]);
        assert_eq!(rooms, "", "a search begins no room");
        let mut ann = one.enter("ann", "tea").await;
        let mut bob = two.enter("bob", "tea").await;
        ann.publish("tea", "Green tea", None)
            .await
            .expect("it is connected");
        message(&mut bob).await;
        assert_eq!(find(&two, "text=tea").await, [1]);
        // From now on, the log of this server is outdated.
        drop(bob);
        until(async || two.get("/api/stats").await.contains(r#""rooms":0"#)).await;
        for text in ["coffee", "TEAPOT", "tea"] {
            ann.publish("tea", text, None)
                .await
                .expect("it is connected");
            message(&mut ann).await;
        }
        message(&mut ann).await;
        assert_eq!(find(&one, "text=tea").await, [1, 3, 4]);
        assert_eq!(find(&two, "text=tea").await, [3, 4]);
        assert_eq!(find(&two, "text=tea&before=4").await, [3]);
    });
}

#[test]
fn text_that_timed_out_by_http_is_uncertain() {
    run(async {
        let redis = Redis::start().await;
        let proxy = Proxy::start(redis.address).await;
        let node = Node::with(&proxy.url(), with_secret).await;
        let publish = async || {
            let body = r#"{"text":"hi","key":"1"}"#;
            node.post("/api/rooms/tea/messages", &token(), body).await
        };
        // The server is connected, and Redis has loaded the script.
        let other = r#"{"text":"first"}"#;
        let answer = node.post("/api/rooms/tea/messages", &token(), other).await;
        assert!(answer.ends_with(r#"{"room":"tea","seq":1}"#), "{answer}");
        proxy.stall();
        let answer = publish().await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(answer.contains(r#""code":"uncertain""#), "{answer}");
        proxy.go_on();
        node.until_ready().await;
        let answer = publish().await;
        assert!(answer.ends_with(r#"{"room":"tea","seq":2}"#), "{answer}");
    });
}

#[test]
fn text_published_on_one_server_is_delivered_on_another_once() {
    run(async {
        let redis = Redis::start().await;
        let one = Node::with(&redis.url(), with_secret).await;
        let two = Node::with(&redis.url(), with_secret).await;
        let mut bob = two.enter("bob", "tea").await;
        for (text, key, seq) in [("hi", "1", 1), ("hi", "1", 1), ("more", "2", 2)] {
            let body = format!(r#"{{"text":"{text}","key":"{key}"}}"#);
            let answer = one.post("/api/rooms/tea/messages", &token(), &body).await;
            let expected = format!(r#"{{"room":"tea","seq":{seq}}}"#);
            assert!(answer.ends_with(&expected), "{answer}");
        }
        for text in ["hi", "more"] {
            let received = message(&mut bob).await;
            assert_eq!(
                (received.user.as_str(), received.text.as_str()),
                ("root", text)
            );
        }
    });
}
