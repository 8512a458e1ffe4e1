//! The HTTP API of one of several servers.

use std::time::Duration;

use chat_demo_server::issue;
use chat_demo_server::secret::SecretArgs;

use crate::node::{Node, message, run};
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

#[test]
fn text_published_on_one_server_is_delivered_on_another_once() {
    run(async {
        let redis = Redis::start().await;
        let with_secret = |config: &mut chat_demo_server::config::Config| {
            config.secret = secret();
            config.allow_guests = true;
        };
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
            let heard = message(&mut bob).await;
            assert_eq!((heard.user.as_str(), heard.text.as_str()), ("root", text));
        }
    });
}
