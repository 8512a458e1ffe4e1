//! Faulty clients harm only themselves.

use std::time::Duration;

use chat_demo_client::frame::{Frame, Kind};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Server, run};

#[test]
fn an_unknown_type_is_refused_and_the_connection_lives() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        for kind in [0x00, 0x05, 0x11, 0x7F, 0xFF] {
            ann.say(Kind(kind), Value::Null).await;
            ann.expect_error("unknown_type").await;
        }
        ann.join("tea").await;
    });
}

#[test]
fn a_refused_publish_is_named_by_its_id_if_that_can_be_read() {
    run(async {
        let server = Server::start();
        let mut ann = server.connect().await;
        let publish = json!({ "room": "tea", "text": "hi", "id": "1" });
        ann.say(Kind::PUBLISH, publish).await;
        let error = ann.expect_error("not_authenticated").await;
        assert_eq!(error["id"], "1");
        ann.say(Kind::HELLO, json!({})).await;
        ann.expect(Kind::WELCOME).await;
        for (payload, id) in [
            (json!({ "room": "tea", "text": 7, "id": "2" }), json!("2")),
            (json!({ "room": 7, "text": "hi", "id": "3" }), json!("3")),
            (json!({ "id": "4" }), json!("4")),
            (json!({ "room": "tea", "id": 5 }), Value::Null),
            (json!([]), Value::Null),
        ] {
            ann.say(Kind::PUBLISH, payload).await;
            assert_eq!(ann.expect_error("bad_payload").await["id"], id);
        }
        // A frame of an unknown type has no id.
        ann.say(Kind(0x7E), json!({ "id": "6" })).await;
        assert_eq!(ann.expect_error("unknown_type").await["id"], Value::Null);
    });
}

#[test]
fn bad_payloads_are_refused_and_the_connection_lives() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let long = "x".repeat(65);
        for (kind, payload) in [
            (Kind::JOIN, json!({})),
            (Kind::JOIN, json!({ "room": "" })),
            (Kind::JOIN, json!({ "room": long })),
            (Kind::JOIN, json!({ "room": "a\nb" })),
            (Kind::JOIN, json!({ "room": " \u{a0}" })),
            (Kind::JOIN, json!({ "room": 7 })),
            (Kind::PUBLISH, json!({ "room": "tea" })),
            (Kind::USER_STATE, json!({ "state": "asleep" })),
            (Kind::ALERT, json!({ "level": "info" })),
            (Kind::HELLO, json!({ "name": "twice" })),
        ] {
            ann.say(kind, payload).await;
            ann.expect_error("bad_payload").await;
        }
        ann.send(Message::Binary(
            Frame {
                kind: Kind::JOIN,
                payload: b"{",
            }
            .encode(),
        ))
        .await;
        ann.expect_error("bad_payload").await;
        ann.join(&"x".repeat(64)).await;
    });
}

#[test]
fn a_bad_name_may_be_bettered() {
    run(async {
        let server = Server::start();
        let mut ann = server.connect().await;
        for name in ["x".repeat(65), "a\u{7}b".to_owned()] {
            ann.say(Kind::HELLO, json!({ "name": name })).await;
            ann.expect_error("bad_payload").await;
        }
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        ann.expect(Kind::WELCOME).await;
    });
}

#[test]
fn nothing_is_done_before_a_hello() {
    run(async {
        let server = Server::start();
        let mut ann = server.connect().await;
        for kind in [Kind::JOIN, Kind::PUBLISH, Kind::HEARTBEAT, Kind(0x7E)] {
            ann.say(kind, json!({ "room": "tea", "text": "hi" })).await;
            ann.expect_error("not_authenticated").await;
        }
        ann.say(Kind::HELLO, json!({})).await;
        ann.expect(Kind::WELCOME).await;
        assert_eq!(server.stats().await["rooms"], 0);
    });
}

#[test]
fn guests_do_not_alert() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        ann.say(Kind::ALERT, json!({ "level": "critical", "text": "fire" }))
            .await;
        ann.expect_error("forbidden").await;
    });
}

#[test]
fn rooms_of_one_connection_are_limited() {
    run(async {
        let server = Server::with(|config| config.max_rooms = 1);
        let mut ann = server.enter_room("ann", "tea").await;
        ann.say(Kind::JOIN, json!({ "room": "coffee" })).await;
        let refused = ann.expect_error("forbidden").await;
        assert_eq!(refused["room"], "coffee");
        ann.say(Kind::LEAVE, json!({ "room": "tea" })).await;
        ann.join("coffee").await;
    });
}

#[test]
fn a_bad_frame_ends_the_connection() {
    run(async {
        let server = Server::start();
        let good = Frame {
            kind: Kind::HEARTBEAT,
            payload: &[],
        }
        .encode()
        .to_vec();
        let with = |index: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[index] = byte;
            bytes
        };
        let bad = [
            Vec::new(),
            good[..9].to_vec(),
            [&good[..], b"x"].concat(),
            with(0, 0),
            with(5, 1),
            with(9, 0),
        ];
        let count = bad.len();
        for message in bad {
            let mut ann = server.enter("ann").await;
            ann.send(Message::Binary(message.into())).await;
            ann.expect_error("bad_frame").await;
            ann.expect_close(1002).await;
        }
        assert_eq!(server.stats().await["drops"]["bad_frame"], count);
    });
}

#[test]
fn too_large_a_payload_ends_the_connection() {
    run(async {
        let server = Server::with(|config| config.max_payload = 100);
        for excess in [1, 1000] {
            let mut ann = server.enter("ann").await;
            let fits = Frame {
                kind: Kind(0x7E),
                payload: &[b' '; 100],
            }
            .encode();
            ann.send(Message::Binary(fits)).await;
            ann.expect_error("unknown_type").await;
            let payload = vec![b' '; 100 + excess];
            ann.send(Message::Binary(
                Frame {
                    kind: Kind(0x7E),
                    payload: &payload,
                }
                .encode(),
            ))
            .await;
            ann.expect_error("too_large").await;
            ann.expect_close(1009).await;
        }
        // A header alone may be wrong.
        let mut ann = server.enter("ann").await;
        ann.send(Message::Binary(
            vec![0x55, 0xAA, 0x15, 0xFF, 0xFF, 0xFF].into(),
        ))
        .await;
        ann.expect_error("too_large").await;
        ann.expect_close(1009).await;
    });
}

#[test]
fn text_ends_the_connection() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        ann.send(Message::Text("hi".into())).await;
        ann.expect_close(1003).await;
    });
}

#[test]
fn text_that_is_not_utf_8_ends_the_connection() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let opcode = OpCode::Data(Data::Text);
        ann.send(Message::Frame(frame::Frame::message(
            &b"\xFF"[..],
            opcode,
            true,
        )))
        .await;
        ann.expect_close(1007).await;
        assert_eq!(server.stats().await["drops"]["not_utf8"], 1);
    });
}

#[test]
fn a_client_that_says_nothing_is_sent_away() {
    run(async {
        let server = Server::with(|config| config.hello_timeout = Duration::from_millis(20));
        let mut ann = server.connect().await;
        ann.expect_close(1008).await;
        // Other frames do not extend the time.
        let mut late = server.connect().await;
        late.say(Kind::HEARTBEAT, Value::Null).await;
        late.expect_close_at_last(1008).await;
        assert_eq!(server.stats().await["drops"]["hello_timeout"], 2);
    });
}

#[test]
fn a_client_that_falls_silent_is_sent_away() {
    run(async {
        let server = Server::with(|config| config.idle_timeout = Duration::from_millis(50));
        let mut ann = server.enter("ann").await;
        ann.expect_close(1001).await;
        assert_eq!(server.stats().await["drops"]["idle"], 1);
    });
}

#[test]
fn client_that_never_reads_is_dropped_alone() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 64);
        let mut slow = server.connect_with_small_buffer().await;
        slow.say(Kind::HELLO, json!({ "name": "slow" })).await;
        slow.say(Kind::JOIN, json!({ "room": "tea" })).await;
        let mut bob = server.enter_room("bob", "tea").await;
        server.until(|stats| stats["frames_in"] == 4).await;
        let mut ann = server.enter_room("ann", "tea").await;

        let text = "x".repeat(1000);
        let mut seq = 0;
        while server.stats().await["drops"]["slow_consumer"] == 0 {
            for _ in 0..50 {
                seq += 1;
                ann.publish("tea", &text).await;
                assert_eq!(ann.expect(Kind::MESSAGE).await["seq"], seq);
                assert_eq!(bob.expect(Kind::MESSAGE).await["seq"], seq);
            }
        }
        assert_eq!(ann.join("tea").await["members"], 2);

        // Messages that left before are whole and in order; then the reason follows.
        slow.expect(Kind::WELCOME).await;
        slow.expect(Kind::JOINED).await;
        let mut next = 1;
        let bye = loop {
            match slow.receive().await {
                (Kind::MESSAGE, message) => assert_eq!(message["seq"], next),
                (kind, payload) => {
                    assert_eq!(kind, Kind::BYE);
                    break payload;
                }
            }
            next += 1;
        };
        assert_eq!(bye["reconnect_after_ms"], 1000);
        assert!(next < seq);
        slow.expect_close(1008).await;
    });
}

#[test]
fn a_panic_takes_one_connection_and_no_slot() {
    run(async {
        let server = Server::with(|config| {
            config.debug_commands = true;
            config.max_connections = 2;
        });
        let mut bob = server.enter_room("bob", "tea").await;
        for count in 1..=3 {
            let mut ann = server.enter_room("ann", "tea").await;
            assert_eq!(bob.join("tea").await["members"], 2);
            ann.say(Kind::PANIC, Value::Null).await;
            assert!(
                !matches!(ann.0.next().await, Some(Ok(Message::Binary(_)))),
                "no frame follows a panic"
            );
            server
                .until(|stats| {
                    stats["panics"] == count && stats["pools"]["connections"]["in_flight"] == 1
                })
                .await;
            assert_eq!(bob.join("tea").await["members"], 1);
        }
        bob.publish("tea", "hello?").await;
        bob.expect(Kind::MESSAGE).await;
    });
}
