//! One connection over a real socket, with session stores of the tests.

use std::future::{pending, ready};
use std::time::Duration;

use chat_demo_client::frame::Kind;
use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::config::Config;
use crate::sessions::{Record, Sessions, Store, StoreError};

pub(super) fn node() -> Node {
    Node::new(Config::default()).expect("valid settings")
}

/// The two ends of a connection.
pub(super) async fn pair() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = TcpStream::connect(address).await.expect("it listens");
    let (stream, _) = listener.accept().await.expect("it has come");
    (client, Stream::Left(stream))
}

pub(super) fn session(
    stream: Stream,
    node: impl Into<Arc<Node>>,
) -> impl Future<Output = ()> + Send + 'static {
    run(stream, Bytes::new(), Subprotocol::Json, node.into())
}

#[tokio::test]
async fn an_idle_connection_is_a_small_future() {
    let (_client, stream) = pair().await;
    let size = size_of_val(&session(stream, node()));
    assert!(size <= 1024, "{size} bytes");
}

/// Counts what is renewed.
struct Renewals(Counter);

impl Store for Renewals {
    fn open(&self, _: Record, _: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(ready(Ok(true)))
    }

    fn renew(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.inc();
        Box::pin(ready(Ok(())))
    }

    fn close(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
}

/// How often the session of a client is renewed that says hello and sends three heartbeats.
async fn renewals(time_to_live: Duration) -> u64 {
    let (renewals, failures) = (Counter::default(), Counter::default());
    let mut node = node();
    let store = Box::new(Renewals(renewals.clone()));
    node.sessions = Sessions::new(store, "n", 0, time_to_live, failures);
    let (client, stream) = pair().await;
    let serving = tokio::spawn(session(stream, node));
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    let hello = (Kind::HELLO, &b"{}"[..]);
    let heartbeat = (Kind::HEARTBEAT, &b""[..]);
    for (kind, payload) in [hello, heartbeat, heartbeat, heartbeat] {
        let frame = Frame { kind, payload }.encode();
        client
            .send(Message::Binary(frame))
            .await
            .expect("it is read");
        client.next().await.expect("an answer").expect("WebSocket");
    }
    // Without a word, which would be one more that is heard.
    drop(client);
    serving.await.expect("no panic");
    renewals.get()
}

#[tokio::test]
async fn some_of_the_frames_renew_the_session() {
    assert_eq!(renewals(Duration::ZERO).await, 4);
    assert_eq!(renewals(Duration::from_secs(300)).await, 0);
}

/// Opens sessions and gets no further, or does not get to open them.
struct Stuck {
    opens: bool,
}

impl Store for Stuck {
    fn open(&self, _: Record, _: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        if self.opens {
            Box::pin(ready(Ok(true)))
        } else {
            Box::pin(pending())
        }
    }

    fn renew(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(pending())
    }

    fn close(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        if self.opens {
            Box::pin(pending())
        } else {
            Box::pin(ready(Ok(())))
        }
    }
}

/// A client whose session store is stuck, and its session.
async fn stuck(
    opens: bool,
    request_timeout: Duration,
) -> (WebSocketStream<TcpStream>, tokio::task::JoinHandle<()>) {
    let (client, serving, _) = stuck_at(opens, request_timeout).await;
    (client, serving)
}

async fn stuck_at(
    opens: bool,
    request_timeout: Duration,
) -> (
    WebSocketStream<TcpStream>,
    tokio::task::JoinHandle<()>,
    Arc<Node>,
) {
    let mut node = node();
    node.config.request_timeout = request_timeout;
    let store = Box::new(Stuck { opens });
    node.sessions = Sessions::new(store, "n", 0, Duration::ZERO, Counter::default());
    let (client, stream) = pair().await;
    let node = Arc::new(node);
    let serving = tokio::spawn(session(stream, node.clone()));
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    say(&mut client, Kind::HELLO, b"{}").await;
    (client, serving, node)
}

pub(super) async fn say(client: &mut WebSocketStream<TcpStream>, kind: Kind, payload: &[u8]) {
    let frame = Frame { kind, payload }.encode();
    let sent = client.send(Message::Binary(frame)).await;
    sent.expect("it is read");
}

pub(super) async fn hear(client: &mut WebSocketStream<TcpStream>) -> (Kind, String) {
    let message = client.next().await.expect("an answer").expect("WebSocket");
    let message = message.into_data();
    let frame = Frame::decode(&message, 1 << 16).expect("one frame");
    let payload = String::from_utf8(frame.payload.to_vec()).expect("JSON");
    (frame.kind, payload)
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_refused() {
    let (mut client, _serving) = stuck(false, Duration::from_millis(10)).await;
    let (kind, error) = hear(&mut client).await;
    assert_eq!(kind, Kind::ERROR);
    assert!(error.contains("overloaded"), "{error}");
}

#[tokio::test]
async fn hello_that_timed_out_is_repeated_only_by_its_user() {
    let (mut client, _serving) = stuck(false, Duration::from_millis(10)).await;
    assert!(hear(&mut client).await.1.contains("overloaded"));
    say(&mut client, Kind::HELLO, b"{}").await;
    assert!(hear(&mut client).await.1.contains("overloaded"));
    say(&mut client, Kind::HELLO, br#"{"name":"bob"}"#).await;
    assert!(hear(&mut client).await.1.contains("same user"));
}

#[tokio::test]
async fn a_wait_ends_with_the_socket() {
    let (client, serving) = stuck(false, Duration::from_secs(3600)).await;
    drop(client);
    serving.await.expect("no panic");
}

#[tokio::test]
async fn a_wait_ends_when_the_server_ends_the_connection() {
    let (mut client, serving, node) = stuck_at(false, Duration::from_secs(3600)).await;
    while node.tally.frames_in.sum() == 0 {
        tokio::task::yield_now().await;
    }
    node.hub.end_all(CloseReason::Restart);
    while !matches!(client.next().await, Some(Ok(Message::Close(_)))) {}
    drop(client);
    serving.await.expect("no panic");
}

#[tokio::test]
async fn a_heartbeat_is_answered_while_something_waits() {
    let (mut client, serving) = stuck(true, Duration::from_secs(3600)).await;
    assert_eq!(hear(&mut client).await.0, Kind::WELCOME);
    for _ in 0..3 {
        say(&mut client, Kind::HEARTBEAT, b"").await;
        assert_eq!(hear(&mut client).await.0, Kind::HEARTBEAT);
    }
    serving.abort();
}

#[tokio::test]
async fn a_session_ends_though_its_store_is_stuck() {
    let (mut client, serving) = stuck(true, Duration::from_millis(10)).await;
    assert_eq!(hear(&mut client).await.0, Kind::WELCOME);
    drop(client);
    serving.await.expect("no panic");
}
