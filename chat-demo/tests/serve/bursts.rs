//! Bursts of messages, and clients that read them at their own pace.

use std::time::Duration;

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Server, run};

/// Reads until this many messages of each room have arrived, in order.
fn read(mut client: Client, rooms: usize, each: u64) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut newest = vec![0; rooms];
        while newest.iter().any(|seq| *seq < each) {
            let (kind, payload) = client.receive().await;
            if kind == Kind::MESSAGE {
                let room = payload["room"].as_str().expect("a name");
                let room: usize = room.parse().expect("a number");
                newest[room] += 1;
                assert_eq!(payload["seq"], newest[room]);
            }
        }
    })
}

/// Publishes in one burst, and reads meanwhile until `count` messages have arrived.
fn burst(client: Client, room: usize, count: u64) -> JoinHandle<()> {
    let (mut to, mut from) = client.0.split();
    let payload = json!({ "room": room.to_string(), "text": "burst" }).to_string();
    let frame = Frame {
        kind: Kind::PUBLISH,
        payload: payload.as_bytes(),
    }
    .encode();
    tokio::spawn(async move {
        let publish = async {
            for _ in 0..count {
                let message = Message::Binary(frame.clone());
                to.feed(message).await.expect("it is read");
            }
            to.flush().await.expect("it is read");
        };
        let read = async {
            let mut newest = 0;
            while newest < count {
                let message = from.next().await.expect("not the end").expect("WebSocket");
                let Message::Binary(message) = message else {
                    panic!("not a frame: {message:?}")
                };
                let frame = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
                newest += u64::from(frame.kind == Kind::MESSAGE);
            }
        };
        tokio::join!(publish, read);
    })
}

/// One client in each of `rooms` publishes in one burst, while others read.
async fn assert_no_client_is_dropped(server: &Server, rooms: usize, each: u64) {
    let mut all = Vec::new();
    for name in 0..3 {
        let mut reader = server.enter(&format!("reader {name}")).await;
        for room in 0..rooms {
            reader.join(&room.to_string()).await;
        }
        all.push(read(reader, rooms, each));
    }
    for room in 0..rooms {
        let name = format!("publisher {room}");
        let publisher = server.enter_room(&name, &room.to_string()).await;
        all.push(burst(publisher, room, each));
    }
    for one in all {
        one.await.expect("it gets all");
    }
    assert_eq!(server.stats().await["drops"]["slow_consumer"], 0);
}

#[test]
fn readers_survive_a_burst_in_memory() {
    run(async {
        assert_no_client_is_dropped(&Server::start(), 1, 5000).await;
        let server = Server::with(|config| config.outbox_frames = 16);
        assert_no_client_is_dropped(&server, 1, 500).await;
    });
}

#[test]
fn readers_survive_a_burst_on_disk() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::with(|config| config.data = Some(folder.path().join("chat.redb")));
        assert_no_client_is_dropped(&server, 1, 600).await;
    });
}

#[test]
fn readers_survive_bursts_in_many_rooms() {
    run(async {
        let server = Server::with(|config| config.outbox_frames = 64);
        assert_no_client_is_dropped(&server, 8, 300).await;
    });
}

#[test]
fn readers_survive_joins_and_leaves() {
    run(async {
        let server = Server::with(|config| {
            config.presence_limit = 64;
            config.outbox_frames = 32;
        });
        let mut ann = server.enter_room("ann", "tea").await;
        let eve = server.enter("eve").await;
        let (mut to, mut from) = eve.0.split();
        let frame = |kind| {
            let payload = json!({ "room": "tea" }).to_string();
            let payload = payload.as_bytes();
            Message::Binary(Frame { kind, payload }.encode())
        };
        let (join, leave) = (frame(Kind::JOIN), frame(Kind::LEAVE));
        let looping = tokio::spawn(async move {
            for _ in 0..1000 {
                to.feed(join.clone()).await.expect("it is read");
                to.feed(leave.clone()).await.expect("it is read");
            }
            to.flush().await.expect("it is read");
            to
        });
        let reading = tokio::spawn(async move { while from.next().await.is_some() {} });
        for _ in 0..1000 {
            for event in ["joined", "left"] {
                assert_eq!(ann.expect(Kind::PRESENCE).await["event"], event);
            }
        }
        drop(looping.await.expect("it lives"));
        reading.abort();
        assert_eq!(server.stats().await["drops"]["slow_consumer"], 0);
    });
}

/// A client that does not read delays its room once, and is dropped.
#[test]
fn client_that_does_not_read_is_dropped_after_a_time() {
    run(async {
        let server = Server::with(|config| {
            config.outbox_frames = 64;
            config.slow_timeout = Duration::from_millis(100);
        });
        let mut slow = server.connect_with_small_buffer().await;
        slow.say(Kind::HELLO, json!({ "name": "slow" })).await;
        slow.say(Kind::JOIN, json!({ "room": "tea" })).await;
        server.until(|stats| stats["rooms"] == 1).await;
        let mut ann = server.enter_room("ann", "tea").await;
        let text = "x".repeat(1000);
        let dropped = |stats: &Value| stats["drops"]["slow_consumer"] == 1;
        while !dropped(&server.stats().await) {
            for _ in 0..50 {
                ann.publish("tea", &text).await;
                ann.expect(Kind::MESSAGE).await;
            }
        }
        slow.expect_close_at_last(1008).await;
    });
}
