//! Expensive requests do not delay other clients.

use chat_demo_client::frame::{Frame, Kind};
use chat_demo_client::payload::{History, Payload};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Server, run};
use crate::subprotocols::Binary;

/// Requests of each greedy client.
const REQUESTS: usize = 5000;

/// Returns a client in a room full of long texts.
async fn enter_full_room(server: &Server, room: &str) -> Binary {
    let mut eve = Binary::enter(server, "eve").await;
    let mut ann = server.enter_room("ann", room).await;
    // Quotes and control characters take the longest to encode.
    let text = "\"\u{1}".repeat(2000);
    for _ in 0..100 {
        ann.publish(room, &text).await;
        ann.expect(Kind::MESSAGE).await;
    }
    eve.join(room, None).await;
    eve
}

fn encode<P: Payload>(payload: &P) -> Vec<u8> {
    payload.encode_to_vec()
}

/// Requests the history of a room repeatedly, and reads the answers if `reads`.
fn ask_on_and_on(client: Binary, room: &str, reads: bool) -> JoinHandle<()> {
    let history = History {
        room: room.to_owned(),
        before: None,
        limit: u32::MAX,
    };
    let frame = Frame {
        kind: Kind::HISTORY,
        payload: &encode(&history),
    }
    .encode();
    let (mut to, mut from) = client.0.0.split();
    tokio::spawn(async move {
        let ask = async {
            for _ in 0..REQUESTS {
                if to.send(Message::Binary(frame.clone())).await.is_err() {
                    break;
                }
            }
        };
        let read = async { while reads && from.next().await.is_some_and(|one| one.is_ok()) {} };
        tokio::join!(ask, read);
    })
}

async fn chat(ann: &mut Client, bob: &mut Client, room: &str) {
    for turn in 0..20 {
        ann.publish(room, &turn.to_string()).await;
        for member in [&mut *ann, &mut *bob] {
            let text = member.expect(Kind::MESSAGE).await["text"].clone();
            assert_eq!(text, turn.to_string());
        }
    }
}

/// Each request for all messages takes milliseconds, so the rooms would stall for longer than the
/// patience of [`run`].
#[test]
fn history_requests_freeze_no_room() {
    run(async {
        let server = Server::with(|config| config.threads = Some(2));
        let mut greedy = Vec::new();
        for number in 0..4 {
            let room = format!("full {number}");
            let eve = enter_full_room(&server, &room).await;
            greedy.push(ask_on_and_on(eve, &room, number % 2 == 0));
        }
        let mut ann = server.enter_room("ann", "full 0").await;
        let mut bob = server.enter_room("bob", "full 0").await;
        chat(&mut ann, &mut bob, "full 0").await;
        for client in [&mut ann, &mut bob] {
            client.join("tea").await;
        }
        chat(&mut ann, &mut bob, "tea").await;
        for one in greedy {
            one.abort();
        }
    });
}

/// A worker that encoded all requested messages would exceed the patience of [`run`].
#[test]
fn connection_that_is_gone_costs_nothing() {
    run(async {
        let server = Server::with(|config| config.threads = Some(1));
        for _ in 0..4 {
            let eve = enter_full_room(&server, "full").await;
            ask_on_and_on(eve, "full", false).abort();
        }
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = server.enter_room("bob", "tea").await;
        chat(&mut ann, &mut bob, "tea").await;
        server.until(|stats| stats["connections"] == 2).await;
        server
            .until(|stats| stats["pools"]["pages"]["in_flight"] == 0)
            .await;
    });
}

/// Returns whether repeated requests delay their sender: a publish after all of them is handled
/// after a publish of another client.
async fn is_paced(server: &Server, requests: &[(Kind, Value)]) -> bool {
    let mut bob = server.enter_room("bob", "tea").await;
    let mut eve = server.enter_room("eve", "tea").await;
    for (kind, payload) in requests.iter().cycle().take(50) {
        eve.say(*kind, payload.clone()).await;
    }
    eve.publish("tea", "late").await;
    // By then the server has read eve's frames, if it reads.
    for _ in 0..100 {
        bob.say(Kind::HEARTBEAT, Value::Null).await;
        while bob.receive().await.0 != Kind::HEARTBEAT {}
    }
    bob.publish("tea", "early").await;
    loop {
        let (kind, payload) = bob.receive().await;
        if kind == Kind::MESSAGE {
            return payload["text"] == "early";
        }
    }
}

/// Fifty requests take most of a minute at one a second.
#[test]
fn each_request_is_charged() {
    run(async {
        let server = Server::with(|config| config.connection_rate = 1);
        let tea = || json!({ "room": "tea" });
        let rounds = [
            vec![(Kind::JOIN, tea())],
            vec![(
                Kind::JOIN,
                json!({ "room": "tea", "after": 0, "epoch": "0" }),
            )],
            vec![(Kind::HISTORY, json!({ "room": "tea", "limit": 1 }))],
            vec![(Kind::MEMBERS, tea())],
            vec![(Kind::LEAVE, tea()), (Kind::JOIN, tea())],
        ];
        for round in rounds {
            assert!(is_paced(&server, &round).await, "{round:?}");
        }
    });
}

#[test]
fn client_that_does_not_read_is_not_read() {
    run(async {
        let server = Server::start();
        let client = server.connect_with_small_buffer().await;
        let (mut to, mut from) = client.0.split();
        let frame = |kind, payload: Value| {
            let payload = payload.to_string();
            let payload = payload.as_bytes();
            Message::Binary(Frame { kind, payload }.encode())
        };
        let hello = frame(Kind::HELLO, json!({ "name": "eve" }));
        to.send(hello).await.expect("it is read");
        let beat = Frame {
            kind: Kind::HEARTBEAT,
            payload: &[],
        }
        .encode();
        let asking = tokio::spawn(async move {
            for _ in 0..1_000_000 {
                to.feed(Message::Binary(beat.clone()))
                    .await
                    .expect("it lives");
            }
            to
        });
        server
            .until(|stats| stats["outbox_frames"].as_u64() >= Some(192))
            .await;
        assert!(!asking.is_finished());
        assert_eq!(server.stats().await["drops"]["slow_consumer"], 0);
        // It continues as soon as the client reads.
        for _ in 0..10_000 {
            from.next().await.expect("not the end").expect("WebSocket");
        }
        asking.abort();
    });
}
