//! Searches of a connection over a real socket, while the workers for searches are busy.

use std::sync::mpsc::{Sender, channel};

use chat_demo_client::frame::Kind;
use chat_demo_client::{payload, wire};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::tests::{hear, node, pair, say, session};
use super::*;
use crate::connection::Connection;
use crate::outbox::Outbox;

struct Fixture {
    node: Arc<Node>,
    client: WebSocketStream<TcpStream>,
    /// Dropped to let searches begin.
    busy: Option<Sender<()>>,
}

/// A client that is in a room and has said some words there. No search begins yet.
async fn fixture() -> Fixture {
    let node = Arc::new(node());
    let (busy, idle) = channel::<()>();
    let blocked = node.pools.searches.submit(move || _ = idle.recv());
    blocked.expect("a free slot");
    let (client, stream) = pair().await;
    tokio::spawn(session(stream, node.clone()));
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    say(&mut client, Kind::HELLO, b"{}").await;
    assert_eq!(hear(&mut client).await.0, Kind::WELCOME);
    say(&mut client, Kind::JOIN, br#"{"room":"tea"}"#).await;
    assert_eq!(hear(&mut client).await.0, Kind::JOINED);
    let busy = Some(busy);
    let mut fixture = Fixture { node, client, busy };
    for word in ["one", "two"] {
        fixture.publish(word).await;
    }
    fixture
}

impl Fixture {
    async fn publish(&mut self, text: &str) {
        let publish = json!({ "room": "tea", "text": text }).to_string();
        say(&mut self.client, Kind::PUBLISH, publish.as_bytes()).await;
        assert_eq!(hear(&mut self.client).await.0, Kind::MESSAGE);
    }

    async fn search(&mut self, text: &str) {
        let search = json!({ "room": "tea", "text": text }).to_string();
        say(&mut self.client, Kind::SEARCH, search.as_bytes()).await;
    }

    /// Waits until what the client has sent was handled.
    async fn beat(&mut self) {
        say(&mut self.client, Kind::HEARTBEAT, b"").await;
        assert_eq!(hear(&mut self.client).await.0, Kind::HEARTBEAT);
    }
}

#[tokio::test]
async fn next_search_cancels_the_one_before() {
    let mut fixture = fixture().await;
    for text in ["o", "on", "one"] {
        fixture.search(text).await;
    }
    // The connection goes on meanwhile.
    fixture.beat().await;
    fixture.publish("three").await;
    let stats = fixture.node.pools.searches.stats();
    assert_eq!((stats.cancelled, stats.in_flight), (2, 2));
    fixture.busy = None;
    let (kind, answer) = hear(&mut fixture.client).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!((kind, &answer["text"]), (Kind::SEARCH, &json!("one")));
    assert_eq!(answer["messages"][0]["seq"], 1);
    // The others have none.
    fixture.beat().await;
}

#[tokio::test]
async fn search_with_messages_is_refused() {
    let mut fixture = fixture().await;
    let message = json!({ "room": "", "seq": 1, "user": "", "text": "", "ts": 1 });
    let search = json!({ "room": "tea", "text": "one", "messages": [message] }).to_string();
    say(&mut fixture.client, Kind::SEARCH, search.as_bytes()).await;
    let (kind, error) = hear(&mut fixture.client).await;
    assert_eq!(kind, Kind::ERROR);
    assert!(error.contains("bad_payload"), "{error}");
}

#[tokio::test]
async fn search_of_a_client_that_left_is_not_begun() {
    let mut fixture = fixture().await;
    fixture.search("one").await;
    fixture.beat().await;
    drop(fixture.client);
    let pool = &fixture.node.pools.searches;
    while pool.stats().cancelled == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.stats().in_flight, 1);
}

#[tokio::test]
async fn search_that_is_late_is_refused() {
    let Fixture { node, busy, .. } = fixture().await;
    let outbox = Outbox::new(node.outbox_limits(), Subprotocol::Text);
    let connection = Arc::new(Connection::new(node.next_connection(), outbox));
    let joined = node.hub.join("tea", connection.clone(), None).await;
    let room = joined.expect("there is a slot");
    let search = payload::Search {
        room: "tea".to_owned(),
        text: "one".to_owned(),
        ..payload::Search::default()
    };
    // The deadline has passed when the search begins.
    let now = std::time::Instant::now();
    let searching = room.room().search(connection.clone(), search, now);
    let _searching = searching.expect("there is a slot");
    drop(busy);
    let mut texts: Vec<String> = Vec::new();
    // The presence of the fixture's own client may come first.
    let refused = |texts: &[String]| texts.iter().any(|text| text.contains("overloaded"));
    while !refused(&texts) {
        poll_fn(|cx| {
            let drained = connection.outbox.poll_drain(cx, |_, bytes| {
                let new = wire::texts(bytes).map(|text| String::from_utf8_lossy(text).into_owned());
                texts.extend(new);
                Poll::Ready(Ok(bytes.len()))
            });
            if refused(&texts) {
                Poll::Ready(())
            } else {
                drained.map(drop)
            }
        })
        .await;
    }
    assert_eq!(node.pools.searches.stats().expired, 1);
}

#[tokio::test]
async fn search_that_finds_no_slot_is_refused_at_once() {
    let mut fixture = fixture().await;
    let pool = fixture.node.pools.searches.clone();
    let _all: Vec<_> = std::iter::from_fn(|| pool.try_slot().ok()).collect();
    fixture.search("one").await;
    let (kind, error) = hear(&mut fixture.client).await;
    assert_eq!(kind, Kind::ERROR);
    assert!(error.contains("overloaded"), "{error}");
}

#[tokio::test]
async fn search_makes_no_room_and_no_log() {
    let node = node();
    let outbox = Outbox::new(node.outbox_limits(), Subprotocol::Text);
    let connection = Arc::new(Connection::new(node.next_connection(), outbox));
    let search = payload::Search {
        room: "tea".to_owned(),
        text: "one".to_owned(),
        ..payload::Search::default()
    };
    let deadline = std::time::Instant::now() + node.config.request_timeout;
    let searching = node.hub.search(connection, search, deadline).await;
    let _searching = searching.expect("there is a slot");
    assert_eq!(node.hub.rooms(), 0);
    assert!(node.hub.history().is_forgotten("tea"));
}
