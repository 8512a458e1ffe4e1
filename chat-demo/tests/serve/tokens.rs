//! Tokens: identity and expiry.

use std::time::{SystemTime, UNIX_EPOCH};

use chat_demo_client::frame::{Frame, Kind};
use chat_demo_server::config::Config;
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Server, run};

const SECRET: &str = "a secret of the tests, of no use elsewhere";

pub(crate) fn with_secret(config: &mut Config) {
    config.secret.token_secret = Some(SECRET.as_bytes().to_vec().into());
}

pub(crate) fn start() -> Server {
    Server::with(with_secret)
}

fn start_with_guests() -> Server {
    Server::with(|config| {
        with_secret(config);
        config.allow_guests = true;
    })
}

/// Returns the time this many seconds from now.
pub(crate) fn from_now(seconds: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_secs()).expect("before the end") + seconds
}

fn sign(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("plain data")
}

pub(crate) fn token(claims: &Value) -> String {
    sign(claims, Algorithm::HS256, SECRET)
}

pub(crate) fn token_of(user: &str) -> String {
    token(&json!({ "sub": user, "exp": from_now(3600) }))
}

/// Returns an expiry within two seconds.
fn short_token_of(user: &str) -> String {
    token(&json!({ "sub": user, "exp": from_now(2) }))
}

impl Client {
    pub(crate) async fn show(&mut self, token: &str) {
        self.say(Kind::HELLO, json!({ "token": token })).await;
    }

    pub(crate) async fn expect_welcome(&mut self, user: &str) {
        assert_eq!(self.expect(Kind::WELCOME).await["user"], user);
    }

    /// Expects the close of an expired token.
    async fn expect_expiry(&mut self) {
        let bye = self.expect(Kind::BYE).await;
        assert_eq!(bye["reason"], "token expired");
        self.expect_close(1008).await;
    }
}

/// Returns a client with a token.
pub(crate) async fn enter(server: &Server, user: &str, token: &str) -> Client {
    let mut client = server.connect().await;
    client.show(token).await;
    client.expect_welcome(user).await;
    client
}

#[test]
fn a_valid_token_names_its_user() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        ann.join("tea").await;
        ann.publish("tea", "hi").await;
        assert_eq!(ann.expect(Kind::MESSAGE).await["user"], "ann");

        // The server ignores the name in the hello, and unknown claims.
        let claims = json!({
            "sub": "bob", "exp": from_now(3600), "nbf": from_now(-1), "iss": "us", "aud": ["chat"], "color": 7
        });
        let mut bob = server.connect().await;
        let hello = json!({ "name": "ann", "token": token(&claims) });
        bob.say(Kind::HELLO, hello).await;
        bob.expect_welcome("bob").await;
    });
}

#[test]
fn a_bad_token_is_refused_with_its_reason() {
    run(async {
        let server = start();
        let good = json!({ "sub": "ann", "exp": from_now(3600) });
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            token(&claims)
        };
        let without = |name: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().expect("an object").remove(name);
            token(&claims)
        };
        let unsigned = {
            let signed = token(&good);
            let claims = signed.split('.').nth(1).expect("three parts");
            // In base64: {"alg":"none","typ":"JWT"}
            format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
        };
        let changed = {
            let (ann, bob) = (token(&good), token_of("bob"));
            let head_and_claims = bob.rsplit_once('.').expect("three parts").0.to_owned();
            let signature = ann.rsplit_once('.').expect("three parts").1.to_owned();
            format!("{head_and_claims}.{signature}")
        };
        let bad = [
            (with("exp", json!(from_now(-1))), "expired"),
            (with("exp", json!(from_now(0))), "expired"),
            (without("exp"), "exp is missing"),
            (with("exp", json!("soon")), "expected f64"),
            (with("nbf", json!(from_now(3600))), "nbf"),
            (
                sign(
                    &good,
                    Algorithm::HS256,
                    "another secret, which is as long as the first",
                ),
                "signature",
            ),
            (sign(&good, Algorithm::HS512, SECRET), "HS256"),
            (unsigned, "`none`"),
            (changed, "signature"),
            (without("sub"), "sub"),
            (with("sub", json!("")), "sub"),
            (with("sub", json!("a\nb")), "sub"),
            (with("sub", json!("guest-ann")), "sub"),
            (with("admin", json!("yes")), "boolean"),
            (String::new(), "three parts"),
            ("a.b.c".to_owned(), "cannot read"),
        ];
        let count = bad.len();
        for (token, why) in bad {
            let mut client = server.connect().await;
            client.show(&token).await;
            let error = client.expect_error("not_authenticated").await;
            let message = error["message"].as_str().expect("a text");
            assert!(message.contains(why), "{message}: not for {why}");
            client.expect_close(1008).await;
        }
        assert_eq!(server.stats().await["drops"]["bad_token"], count);
    });
}

#[test]
fn guests_are_let_in_where_they_are_allowed_alone() {
    run(async {
        let server = start();
        let mut ann = server.connect().await;
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        ann.expect_error("not_authenticated").await;
        // The client may try again with a valid token.
        ann.show(&token_of("ann")).await;
        ann.expect_welcome("ann").await;

        let server = start_with_guests();
        let mut ann = server.connect().await;
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        ann.expect_welcome("guest-ann").await;
        let mut guest = server.connect().await;
        guest.say(Kind::HELLO, json!({})).await;
        guest.expect_welcome("guest-1").await;
    });
}

#[test]
fn a_guest_does_not_pass_for_a_user() {
    run(async {
        let server = start_with_guests();
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        ann.join("tea").await;
        let mut guest = server.connect().await;
        guest.say(Kind::HELLO, json!({ "name": "ann" })).await;
        guest.expect(Kind::WELCOME).await;
        guest.join("tea").await;
        guest.publish("tea", "I am ann").await;
        assert_eq!(ann.expect(Kind::MESSAGE).await["user"], "guest-ann");

        // A guest that reconnects under its name keeps it.
        let mut again = server.connect().await;
        again.say(Kind::HELLO, json!({ "name": "guest-ann" })).await;
        again.expect_welcome("guest-ann").await;
        // A prefix of a name counts as part of it.
        let mut long = server.connect().await;
        long.say(Kind::HELLO, json!({ "name": "x".repeat(59) }))
            .await;
        long.expect_error("bad_payload").await;
        long.say(Kind::HELLO, json!({ "name": "x".repeat(58) }))
            .await;
        long.expect_welcome(&format!("guest-{}", "x".repeat(58)))
            .await;
    });
}

#[test]
fn a_server_without_a_secret_refuses_tokens() {
    run(async {
        let server = Server::start();
        let mut ann = server.connect().await;
        let hello = json!({ "name": "ann", "token": token_of("ann") });
        ann.say(Kind::HELLO, hello).await;
        ann.expect_error("not_authenticated").await;
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        ann.expect_welcome("ann").await;
    });
}

#[test]
fn only_alerts_of_admins_reach_all_connections() {
    run(async {
        let server = start_with_guests();
        let alert = json!({ "level": "critical", "text": "fire" });
        let admin = token(&json!({ "sub": "root", "exp": from_now(3600), "admin": true }));
        let mut root = enter(&server, "root", &admin).await;
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        let mut guest = server.connect().await;
        guest.say(Kind::HELLO, json!({})).await;
        guest.expect(Kind::WELCOME).await;
        for client in [&mut ann, &mut guest] {
            client.say(Kind::ALERT, alert.clone()).await;
            client.expect_error("forbidden").await;
        }
        root.join("tea").await;
        root.say(Kind::ALERT, alert.clone()).await;
        for client in [&mut root, &mut ann, &mut guest] {
            assert_eq!(client.expect(Kind::ALERT).await, alert);
        }
    });
}

#[test]
fn an_alert_waits_for_a_hello() {
    run(async {
        let server = start();
        let claims = json!({ "sub": "root", "exp": from_now(3600), "admin": true });
        let mut root = enter(&server, "root", &token(&claims)).await;
        let mut silent = server.connect().await;
        let mut refused = server.connect().await;
        refused.say(Kind::HELLO, json!({ "name": "eve" })).await;
        refused.expect_error("not_authenticated").await;
        for text in ["one", "two"] {
            root.say(Kind::ALERT, json!({ "level": "info", "text": text }))
                .await;
            root.expect(Kind::ALERT).await;
        }
        // An answer of the server follows the frames that it had queued before.
        silent.say(Kind::HEARTBEAT, Value::Null).await;
        silent.expect_error("not_authenticated").await;
        refused.show(&token_of("eve")).await;
        refused.expect_welcome("eve").await;
        root.say(Kind::ALERT, json!({ "level": "info", "text": "three" }))
            .await;
        assert_eq!(refused.expect(Kind::ALERT).await["text"], "three");
    });
}

#[test]
fn a_connection_ends_with_its_token() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &short_token_of("ann")).await;
        ann.expect_expiry().await;
        assert_eq!(server.stats().await["drops"]["token_expired"], 1);
    });
}

#[test]
fn a_client_does_not_talk_itself_past_its_token() {
    run(async {
        let server = start();
        let ann = enter(&server, "ann", &short_token_of("ann")).await;
        let (mut write, mut read) = ann.0.split();
        let talking = tokio::spawn(async move {
            let kind = Kind::HEARTBEAT;
            let frame = Frame { kind, payload: &[] }.encode();
            while write.send(Message::Binary(frame.clone())).await.is_ok() {}
        });
        let close = loop {
            match read.next().await.expect("not the end").expect("WebSocket") {
                Message::Close(close) => break close,
                message => assert!(message.is_binary()),
            }
        };
        assert_eq!(close.map(|close| close.code.into()), Some(1008));
        talking.abort();
    });
}

#[test]
fn a_fresh_token_prolongs_a_connection() {
    run(async {
        let server = start();
        let alert = json!({ "level": "info", "text": "tea is ready" });
        let mut ann = enter(&server, "ann", &short_token_of("ann")).await;
        let mut bob = enter(&server, "bob", &short_token_of("bob")).await;
        ann.join("tea").await;
        ann.say(Kind::ALERT, alert.clone()).await;
        ann.expect_error("forbidden").await;
        let fresh = token(&json!({ "sub": "ann", "exp": from_now(3600), "admin": true }));
        ann.show(&fresh).await;
        ann.expect_welcome("ann").await;

        // The connection outlived the time of ann's first token.
        bob.expect_expiry().await;
        ann.say(Kind::ALERT, alert).await;
        ann.expect(Kind::ALERT).await;
        assert_eq!(ann.join("tea").await["members"], 1);

        // A new token may also shorten the time.
        ann.show(&short_token_of("ann")).await;
        ann.expect_welcome("ann").await;
        ann.expect_expiry().await;
    });
}

#[test]
fn a_second_hello_does_not_change_the_user() {
    run(async {
        let server = start_with_guests();
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        let mut guest = server.connect().await;
        guest.say(Kind::HELLO, json!({ "name": "bob" })).await;
        guest.expect_welcome("guest-bob").await;
        let hellos = [
            (&mut ann, json!({ "token": token_of("bob") })),
            (&mut guest, json!({ "token": token_of("bob") })),
        ];
        for (client, hello) in hellos {
            for hello in [
                hello,
                json!({ "name": "ann" }),
                json!({ "name": "bob" }),
                json!({}),
            ] {
                client.say(Kind::HELLO, hello).await;
                client.expect_error("bad_payload").await;
            }
            client.join("tea").await;
        }
        // An invalid token ends an authenticated connection.
        ann.show("a.b.c").await;
        ann.expect_error("not_authenticated").await;
        ann.expect_close(1008).await;
    });
}
