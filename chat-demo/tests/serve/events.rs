//! A room as a stream of events (SSE).

use std::time::Duration;

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::harness::{Server, read_until, run};
use crate::tokens::{enter, from_now, start, token, token_of, with_secret};

/// A program that reads the events of a room.
struct Reader(Lines<BufReader<TcpStream>>);

/// An event: its id if it has one, its name and its data.
type Event = (Option<String>, String, Value);

impl Reader {
    async fn open(server: &Server, room: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(server.address)
            .await
            .expect("it listens");
        Self::over(stream, server, room, headers).await
    }

    async fn over(mut stream: TcpStream, server: &Server, room: &str, headers: &str) -> Self {
        let address = server.address;
        let request =
            format!("GET /api/rooms/{room}/events HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next_line().await.expect("text").expect("a status");
        assert_eq!(status, "HTTP/1.1 200 OK");
        let mut is_stream = false;
        while let Some(line) = lines.next_line().await.expect("text")
            && !line.is_empty()
        {
            is_stream |= line == "content-type: text/event-stream";
        }
        assert!(is_stream);
        Self(lines)
    }

    /// Returns the next event, or `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, String::new(), Value::Null);
        while let Some(line) = self.0.next_line().await.expect("text") {
            match line.split_once(": ") {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => data = serde_json::from_str(value).expect("JSON"),
                _ if line.is_empty() && !name.is_empty() => return Some((id, name, data)),
                _ => assert!(line.is_empty() || line == ":", "{line}"),
            }
        }
        None
    }

    async fn expect(&mut self, name: &str) -> (Option<String>, Value) {
        let (id, received, data) = self.next().await.expect("not the end");
        assert_eq!(received, name, "{data}");
        assert_eq!(data["type"], name);
        (id, data)
    }
}

#[test]
fn reader_gets_the_messages_of_a_room() {
    run(async {
        let server = Server::start();
        let mut reader = Reader::open(&server, "tea", "").await;
        let (id, joined) = reader.expect("joined").await;
        let epoch = joined["epoch"].as_str().expect("an epoch");
        assert_eq!(id, Some(format!("{epoch}:0")));
        let mut ann = server.enter_room("ann", "tea").await;
        for seq in 1..=3 {
            ann.publish("tea", "hi\nthere").await;
            let (id, message) = reader.expect("message").await;
            assert_eq!(id, Some(format!("{epoch}:{seq}")));
            assert_eq!(
                (&message["user"], &message["text"]),
                (&json!("ann"), &json!("hi\nthere"))
            );
        }
        // It takes a slot like any other connection.
        let stats = server.stats().await;
        assert_eq!(stats["connections"], 2, "{stats}");
        drop(reader);
        server.until(|stats| stats["connections"] == 1).await;
    });
}

#[test]
fn each_byte_of_a_stream_is_counted() {
    run(async {
        let server = Server::start();
        let address = server.address;
        let request = format!("GET /api/rooms/tea/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let mut socket = server.send(request.as_bytes()).await;
        let seen = read_until(&mut socket, |seen| seen.ends_with(b"}\n\n")).await;
        server.until(|stats| stats["bytes_out"] == seen.len()).await;
    });
}

#[test]
fn reconnecting_reader_gets_what_it_missed() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let mut reader = Reader::open(&server, "tea", "").await;
        reader.expect("joined").await;
        ann.publish("tea", "1").await;
        let (id, _) = reader.expect("message").await;
        drop(reader);
        for text in ["2", "3"] {
            ann.publish("tea", text).await;
            ann.expect(Kind::MESSAGE).await;
        }
        let last = format!("Last-Event-ID: {}\r\n", id.expect("a message has one"));
        let mut reader = Reader::open(&server, "tea", &last).await;
        let (id, joined) = reader.expect("joined").await;
        assert_eq!((id, &joined["recovered"]), (None, &json!(true)));
        for text in ["2", "3"] {
            assert_eq!(reader.expect("message").await.1["text"], text);
        }
        for strange in ["x", "0123456789abcdef:1", ":", "1"] {
            let last = format!("Last-Event-ID: {strange}\r\n");
            let mut reader = Reader::open(&server, "tea", &last).await;
            assert_eq!(reader.expect("joined").await.1["recovered"], false);
        }
    });
}

#[test]
fn reader_has_the_rights_of_its_token() {
    run(async {
        let server = start();
        let claims = json!({ "sub": "ann", "exp": from_now(3600), "rooms": ["team-*"] });
        let header = format!("Authorization: Bearer {}\r\n", token(&claims));
        let mut reader = Reader::open(&server, "team-red", &header).await;
        reader.expect("joined").await;
        let get = async |room: &str, query: &str, header: &str| {
            let path = format!("GET /api/rooms/{room}/events{query} HTTP/1.1{header}");
            server.http(&path).await
        };
        let line = format!("\r\n{}", header.trim_end());
        assert_eq!(get("tea", "", &line).await.status, 403);
        assert_eq!(get("tea", "", "").await.status, 401);
        assert_eq!(get("%00", "", &line).await.status, 400);
        // A URL must not contain a secret.
        let query = format!("?token={}", token(&claims));
        let answer = get("team-red", &query, "").await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.body.contains("addresses end up in logs"),
            "{}",
            answer.body
        );
        let list = server.http("POST /api/rooms/tea/events HTTP/1.1").await;
        assert_eq!(list.status, 405);
    });
}

#[test]
fn reader_that_waits_for_its_rate_is_served() {
    run(async {
        let server = Server::with(|config| {
            with_secret(config);
            config.user_rate = 1;
            config.handshake_timeout = Duration::from_millis(500);
        });
        let last = "Last-Event-ID: 0123456789abcdef:1";
        let headers = format!("Authorization: Bearer {}\r\n{last}\r\n", token_of("ann"));
        for _ in 0..2 {
            let mut reader = Reader::open(&server, "tea", &headers).await;
            reader.expect("joined").await;
        }
    });
}

#[test]
fn reader_gets_alerts() {
    run(async {
        let server = start();
        let claims = json!({ "sub": "root", "exp": from_now(3600), "admin": true });
        let mut root = enter(&server, "root", &token(&claims)).await;
        let header = format!("Authorization: Bearer {}\r\n", token_of("ann"));
        let mut reader = Reader::open(&server, "tea", &header).await;
        reader.expect("joined").await;
        let alert = json!({ "level": "info", "text": "hi" });
        root.say(Kind::ALERT, alert).await;
        root.expect(Kind::ALERT).await;
        let (id, alert) = reader.expect("alert").await;
        assert_eq!((id, &alert["text"]), (None, &json!("hi")));
    });
}

#[test]
fn stream_ends_with_its_token() {
    run(async {
        let server = start();
        let claims = json!({ "sub": "ann", "exp": from_now(2) });
        let header = format!("Authorization: Bearer {}\r\n", token(&claims));
        let mut reader = Reader::open(&server, "tea", &header).await;
        reader.expect("joined").await;
        assert_eq!(reader.expect("bye").await.1["reason"], "token expired");
        assert!(reader.next().await.is_none());
    });
}

#[test]
fn reader_takes_a_place_and_gives_it_back() {
    run(async {
        let server = Server::with(|config| config.max_connections = 1);
        let mut reader = Reader::open(&server, "tea", "").await;
        reader.expect("joined").await;
        let full = server.http("GET /api/rooms/tea/events HTTP/1.1").await;
        assert_eq!(full.status, 503);
        assert!(full.head.contains("retry-after: "), "{}", full.head);
        drop(reader);
        server.until(|stats| stats["connections"] == 0).await;
        let mut reader = Reader::open(&server, "tea", "").await;
        reader.expect("joined").await;
    });
}

#[test]
fn reader_that_does_not_read_is_dropped() {
    run(async {
        let server = Server::with(|config| {
            config.outbox_bytes = 20_000;
            config.slow_timeout = Duration::ZERO;
        });
        let stream = server.reach_with_small_buffer();
        let _reader = Reader::over(stream, &server, "tea", "").await;
        let mut ann = server.enter_room("ann", "tea").await;
        let text = "x".repeat(10_000);
        while server.stats().await["drops"]["slow_consumer"] == 0 {
            ann.publish("tea", &text).await;
            ann.expect(Kind::MESSAGE).await;
        }
    });
}

#[test]
fn stream_ends_when_its_user_is_disconnected() {
    run(async {
        let server = start();
        let header = format!("Authorization: Bearer {}\r\n", token_of("ann"));
        let mut reader = Reader::open(&server, "tea", &header).await;
        reader.expect("joined").await;
        let claims = json!({ "sub": "root", "exp": from_now(3600), "admin": true });
        let authorization = format!("Authorization: Bearer {}", token(&claims));
        let request = format!("DELETE /api/users/ann HTTP/1.1\r\n{authorization}");
        let answer = server.http(&request).await;
        assert_eq!(answer.body, r#"{"disconnected":1}"#);
        let (_, bye) = reader.expect("bye").await;
        assert_eq!(bye["reason"], "disconnected by an admin");
        assert!(reader.next().await.is_none());
    });
}

#[test]
fn stream_ends_with_the_server() {
    run(async {
        let server = start();
        let mut bob = enter(&server, "bob", &token_of("bob")).await;
        bob.join("tea").await;
        let header = format!("Authorization: Bearer {}\r\n", token_of("ann"));
        let mut reader = Reader::open(&server, "tea", &header).await;
        reader.expect("joined").await;
        let stopped = server.stop();
        assert_eq!(reader.expect("bye").await.1["reason"], "server restart");
        assert!(reader.next().await.is_none());
        bob.expect_close_at_last(1012).await;
        drop((bob, reader));
        stopped.await.expect("no panic").expect("all have gone");
    });
}

#[test]
fn silent_stream_has_comments() {
    run(async {
        let server = Server::with(|config| config.heartbeat = Duration::from_millis(20));
        let mut reader = Reader::open(&server, "tea", "").await;
        reader.expect("joined").await;
        let line = reader.0.next_line().await.expect("text");
        assert_eq!(line.as_deref(), Some(":"));
    });
}
