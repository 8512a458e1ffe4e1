//! The metrics: each changes when it should.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, run, until};
use crate::http::status;

/// Returns the series of `/metrics`, each as written, with its value.
pub(crate) struct Figures(pub(crate) HashMap<String, f64>);

impl Figures {
    pub(crate) fn of(&self, series: &str) -> f64 {
        let value = self.0.get(series);
        *value.unwrap_or_else(|| panic!("no {series} in {:?}", self.0.keys()))
    }

    /// Returns the name without labels.
    pub(crate) fn names(&self) -> HashSet<&str> {
        self.0.keys().map(|series| name(series)).collect()
    }
}

pub(crate) fn name(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}

impl Server {
    pub(crate) async fn figures(&self) -> Figures {
        let metrics = self.http("GET /metrics HTTP/1.1").await;
        let samples = metrics.body.lines().filter(|line| !line.starts_with('#'));
        let mut figures = HashMap::new();
        for line in samples {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let value = value.parse().expect("a number");
            let before = figures.insert(series.to_owned(), value);
            assert_eq!(before, None, "{series} comes twice");
        }
        Figures(figures)
    }

    /// Polls until a figure has a value: the server may count an event after the client sees it.
    pub(crate) async fn until_figure(&self, series: &str, value: f64) {
        #[expect(clippy::float_cmp, reason = "counts are whole")]
        until(async || self.figures().await.of(series) == value).await;
    }
}

#[test]
fn figures_in_json() {
    run(async {
        let server = Server::with(|config| config.max_connections = 7);
        let mut ann = server.enter_room("ann", "tea").await;
        ann.publish("tea", "hi").await;
        ann.receive().await;
        for (name, value) in [
            ("connections", 1),
            ("rooms", 1),
            ("messages", 1),
            ("deliveries", 1),
            ("frames_in", 3),
            ("frames_out", 3),
            ("history_messages", 1),
            ("outbox_frames", 0),
            ("refused", 0),
        ] {
            server.until(|stats| stats[name] == value).await;
        }
        let stats = server.stats().await;
        assert!(stats["node"].as_str().is_some_and(|node| !node.is_empty()));
        // The request itself is a future that a worker polls.
        let workers = &stats["pools"]["service"];
        assert!(workers["running_futures"].as_u64() >= Some(1), "{workers}");
        let lanes = ["futures", "high", "normal", "low"];
        let queued = lanes.map(|lane| workers[format!("queued_{lane}")].as_u64());
        assert_eq!(
            queued.into_iter().sum::<Option<u64>>(),
            workers["queued"].as_u64()
        );
        let pool = &stats["pools"]["connections"];
        assert_eq!(
            (&pool["capacity"], &pool["in_flight"], &pool["free"]),
            (&7.into(), &1.into(), &6.into())
        );
        assert!(stats["rss_bytes"].as_u64() > Some(1 << 20));
        assert!(stats["threads"].as_u64() > Some(1));
    });
}

#[test]
fn frames_are_counted_by_type() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let epoch = ann.join("tea").await["epoch"].take();
        let mut bob = server.enter_room("bob", "tea").await;
        ann.say(
            Kind::PUBLISH,
            json!({ "room": "tea", "text": "hi", "id": "1" }),
        )
        .await;
        ann.expect(Kind::MESSAGE).await;
        ann.expect(Kind::ACK).await;
        bob.expect(Kind::MESSAGE).await;
        bob.say(Kind::MEMBERS, json!({ "room": "tea" })).await;
        bob.expect(Kind::MEMBERS).await;
        bob.say(Kind::HISTORY, json!({ "room": "tea", "limit": 9 }))
            .await;
        bob.expect(Kind::MESSAGE).await;
        bob.say(Kind(0xEE), Value::Null).await;
        bob.expect_error("unknown_type").await;
        bob.say(Kind::USER_STATE, json!({ "state": "away" })).await;
        ann.expect(Kind::USER_STATE).await;
        // Joins again, and recovers the messages after number 0.
        let join = json!({ "room": "tea", "after": 0, "epoch": epoch });
        ann.say(Kind::JOIN, join).await;
        assert_eq!(ann.expect(Kind::JOINED).await["recovered"], true);
        ann.expect(Kind::MESSAGE).await;
        server.until(|stats| stats["frames_out"] == 14).await;

        let figures = server.figures().await;
        for (series, value) in [
            ("in_total{type=\"hello\"}", 2),
            ("in_total{type=\"join\"}", 3),
            ("in_total{type=\"publish\"}", 1),
            ("in_total{type=\"members\"}", 1),
            ("in_total{type=\"history\"}", 1),
            ("in_total{type=\"user_state\"}", 1),
            ("in_total{type=\"unknown\"}", 1),
            ("in_total{type=\"message\"}", 0),
            ("out_total{type=\"welcome\"}", 2),
            ("out_total{type=\"joined\"}", 3),
            ("out_total{type=\"message\"}", 2 + 1 + 1),
            ("out_total{type=\"ack\"}", 1),
            ("out_total{type=\"members\"}", 1),
            ("out_total{type=\"error\"}", 1),
            ("out_total{type=\"user_state\"}", 2),
            ("out_total{type=\"unknown\"}", 0),
        ] {
            let have = figures.of(&format!("chat_frames_{series}"));
            assert!((have - f64::from(value)).abs() < 0.5, "{series} is {have}");
        }
    });
}

#[test]
fn handshakes_are_refused_for_a_reason() {
    run(async {
        let server = Server::with(|config| {
            config.max_connections = 1;
            config.handshake_timeout = Duration::from_millis(200);
        });
        assert_eq!(server.http("GET /ws HTTP/1.1").await.status, 426);
        assert_eq!(status(&server, "sec-websocket-key", "short").await, 400);
        let elsewhere = "https://evil.example";
        assert_eq!(status(&server, "origin", elsewhere).await, 403);
        let other = ("sec-websocket-protocol", "soap");
        assert_eq!(status(&server, other.0, other.1).await, 400);
        let _ann = server.enter("ann").await;
        assert_eq!(status(&server, "accept", "*/*").await, 503);

        // It sent one request and is idle since: no failed handshake.
        let mut waste = Vec::new();
        let request = b"GET /healthz HTTP/1.1\r\nHost: any\r\n\r\n";
        let mut idle = server.send(request).await;
        idle.read_to_end(&mut waste).await.expect("it ends");
        // Only the socket of this request remains.
        let alone = |stats: &Value| stats["pools"]["front"]["in_flight"] == 1;
        server.until(alone).await;
        let timeouts = "chat_handshakes_refused_total{reason=\"timeout\"}";
        server.until_figure(timeouts, 0.0).await;

        // A silent socket, and a socket that stops in the middle of its request.
        for begun in ["", "GET /ws HTTP/1.1\r\nHost"] {
            let mut slow = server.send(begun.as_bytes()).await;
            let _ = slow.read_to_end(&mut waste).await;
        }
        server.until_figure(timeouts, 2.0).await;
        for reason in ["not_websocket", "key", "origin", "subprotocol", "full"] {
            let series = format!("chat_handshakes_refused_total{{reason=\"{reason}\"}}");
            server.until_figure(&series, 1.0).await;
        }
        assert_eq!(server.stats().await["refused"], 5 + 2);
    });
}

#[test]
fn errors_are_counted_by_code() {
    run(async {
        let server = Server::with(|config| config.connection_rate = 1);
        let mut ann = server.connect().await;
        ann.say(Kind::JOIN, json!({ "room": "tea" })).await;
        ann.expect_error("not_authenticated").await;
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        ann.expect(Kind::WELCOME).await;
        for _ in 0..2 {
            ann.say(Kind::JOIN, json!({})).await;
            ann.expect_error("bad_payload").await;
        }
        ann.say(Kind::LEAVE, json!({ "room": "tea" })).await;
        ann.expect_error("not_member").await;
        ann.join("tea").await;
        let mut limited = 0;
        while limited == 0 {
            ann.publish("tea", "hi").await;
            limited += usize::from(ann.receive().await.0 == Kind::ERROR);
        }
        ann.send(Message::Binary("no frame".into())).await;
        ann.expect_error("bad_frame").await;
        ann.expect_close(1002).await;

        for (code, count) in [
            ("not_authenticated", 1.0),
            ("bad_payload", 2.0),
            ("not_member", 1.0),
            ("rate_limited", 1.0),
            ("bad_frame", 1.0),
            ("overloaded", 0.0),
        ] {
            let series = format!("chat_errors_total{{code=\"{code}\"}}");
            server.until_figure(&series, count).await;
        }
        for series in [
            "chat_connections_closed_total{reason=\"bad_frame\"}",
            "chat_frames_in_total{type=\"unknown\"}",
        ] {
            server.until_figure(series, 1.0).await;
        }
        let errors = "chat_frames_out_total{type=\"error\"}";
        server.until_figure(errors, 6.0).await;
    });
}

#[test]
fn a_publish_takes_time_and_is_kept() {
    run(async {
        let server = Server::start();
        let before = server.stats().await;
        assert_eq!(
            (&before["fanout_p50_ms"], &before["history_messages"]),
            (&json!(0.0), &json!(0))
        );
        let mut ann = server.enter_room("ann", "tea").await;
        for _ in 0..3 {
            ann.publish("tea", "hi").await;
            ann.expect(Kind::MESSAGE).await;
        }
        let kept = |stats: &Value| stats["history_messages"] == 3;
        server.until(kept).await;
        server.until_figure("chat_fanout_seconds_count", 3.0).await;
        let stats = server.stats().await;
        let millis = |key: &str| stats[key].as_f64().expect("a number");
        let (p50, p99) = (millis("fanout_p50_ms"), millis("fanout_p99_ms"));
        assert!(0.0 < p50 && p50 <= p99, "{p50} and {p99}");
        assert!(p99 <= millis("fanout_p999_ms"));

        let figures = server.figures().await;
        let sum = figures.of("chat_fanout_seconds_sum");
        assert!(0.0 < sum && sum <= 3.0 * p99 / 1000.0 * 1.02, "{sum} s");
        for (series, value) in [
            ("chat_fanout_seconds_bucket{le=\"+Inf\"}", 3.0),
            ("chat_messages_total", 3.0),
            ("chat_deliveries_total", 3.0),
            ("chat_rooms", 1.0),
            ("chat_connections", 1.0),
            ("chat_history_messages", 3.0),
            ("chat_pool_in_flight{pool=\"connections\"}", 1.0),
        ] {
            server.until_figure(series, value).await;
        }
        assert!(figures.of("chat_history_bytes") > 3.0 * 50.0);
    });
}

#[test]
fn what_a_client_does_not_read_waits_and_shows() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 64);
        let mut slow = server.connect_with_small_buffer().await;
        slow.say(Kind::HELLO, json!({ "name": "slow" })).await;
        slow.say(Kind::JOIN, json!({ "room": "tea" })).await;
        server.until(|stats| stats["rooms"] == 1).await;
        let mut ann = server.enter_room("ann", "tea").await;
        let text = "x".repeat(4000);
        let mut sent = 0;
        // So much that it is not the moment between two writes, and less than is too much. More than is checked below,
        // because the system may take some of it until then.
        while server.stats().await["outbox_frames"].as_u64() < Some(40) {
            ann.publish("tea", &text).await;
            ann.expect(Kind::MESSAGE).await;
            sent += 1;
        }
        let figures = server.figures().await;
        let waiting = figures.of("chat_outbox_frames");
        assert!((32.0..64.0).contains(&waiting), "{waiting} frames");
        let most = figures.of("chat_outbox_max_frames");
        assert!((32.0..=waiting).contains(&most), "{most} of {waiting}");
        let bytes = figures.of("chat_outbox_bytes");
        assert!(bytes > 4000.0 * 31.0, "{bytes} bytes");
        assert!((4000.0 * 31.0..=bytes).contains(&figures.of("chat_outbox_max_bytes")));

        slow.expect(Kind::WELCOME).await;
        slow.expect(Kind::JOINED).await;
        for _ in 0..sent {
            slow.expect(Kind::MESSAGE).await;
        }
        let empty = |stats: &Value| stats["outbox_frames"] == 0 && stats["outbox_bytes"] == 0;
        server.until(empty).await;
        server.until_figure("chat_outbox_max_frames", 0.0).await;
    });
}

#[test]
fn a_slow_client_gets_a_valid_bye() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 4);
        let mut slow = server.connect_with_small_buffer().await;
        slow.say(Kind::HELLO, json!({ "name": "slow" })).await;
        slow.say(Kind::JOIN, json!({ "room": "tea" })).await;
        server.until(|stats| stats["rooms"] == 1).await;
        let mut ann = server.enter_room("ann", "tea").await;
        let text = "x".repeat(8000);
        while server.stats().await["drops"]["slow_consumer"] == 0 {
            ann.publish("tea", &text).await;
            ann.expect(Kind::MESSAGE).await;
        }
        slow.expect_close_at_last(1008).await;
        for series in [
            "chat_connections_closed_total{reason=\"slow_consumer\"}",
            "chat_frames_out_total{type=\"bye\"}",
        ] {
            server.until_figure(series, 1.0).await;
        }
    });
}

#[test]
fn panics_and_sockets_are_counted() {
    run(async {
        let server = Server::with(|config| config.debug_commands = true);
        let mut ann = server.enter("ann").await;
        ann.say(Kind::PANIC, Value::Null).await;
        server.until_figure("chat_panics_total", 1.0).await;
        let sockets = |figures: &Figures| figures.of("chat_sockets_accepted_total");
        let before = sockets(&server.figures().await);
        let more = sockets(&server.figures().await) - before;
        assert!((more - 1.0).abs() < 0.5, "{more} sockets for one look");
        server
            .until_figure("chat_frames_in_total{type=\"panic\"}", 1.0)
            .await;
    });
}

#[test]
fn the_process_shows_what_it_uses() {
    run(async {
        let server = Server::start();
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(server.connect().await);
        }
        server.until(|stats| stats["connections"] == 50).await;
        let (figures, stats) = (server.figures().await, server.stats().await);
        // Both ends of each connection are in this process.
        assert!(figures.of("process_open_fds") >= 100.0);
        assert!(stats["open_files"].as_u64() >= Some(100));
        assert!(figures.of("process_max_fds") >= figures.of("process_open_fds"));
        let memory = figures.of("process_resident_memory_bytes");
        assert!(memory > f64::from(1 << 20), "{memory}");
        assert!(figures.of("process_virtual_memory_bytes") > memory);
        assert!(figures.of("process_threads") > 1.0);
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("it was in the past");
        let age = now.as_secs_f64() - figures.of("process_start_time_seconds");
        assert!((-1.0..24.0 * 3600.0).contains(&age), "{age} s old");

        // The request itself takes CPU time.
        let cpu = figures.of("process_cpu_seconds_total");
        while server.figures().await.of("process_cpu_seconds_total") <= cpu {}
        let cpu = stats["cpu_seconds"].as_f64().expect("a number");
        server
            .until(|stats| stats["cpu_seconds"].as_f64() > Some(cpu))
            .await;
    });
}
