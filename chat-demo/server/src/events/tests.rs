//! One event stream over a real socket.

use std::future::{pending, ready};

use prometheus_client::metrics::counter::Counter;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::config::Config;
use crate::connection::Identity;
use crate::rights::Rooms;
use crate::sessions::{Record, Sessions, Store, StoreError};

/// Opens sessions, and never answers a renewal.
struct Stuck;

impl Store for Stuck {
    fn open(&self, _: Record, _: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(ready(Ok(true)))
    }

    fn renew(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(pending())
    }

    fn close(&self, _: Record) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
}

async fn identified(node: Node, expires: Option<Instant>) -> Context {
    let mut context = Context::new(Arc::new(node), Subprotocol::Text);
    let identity = Identity {
        user: "ann".into(),
        admin: false,
        rooms: Rooms::default(),
        expires,
    };
    context.identify(identity).await.expect("the store opens");
    context
}

/// Streams events over a socket; returns the client's end.
async fn serve(context: Context) -> (TcpStream, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = TcpStream::connect(address).await.expect("it listens");
    let (stream, _) = listener.accept().await.expect("a client");
    (client, tokio::spawn(run(Stream::Left(stream), context)))
}

/// Without work, a paused clock moves to the next timer.
#[tokio::test(start_paused = true)]
async fn silent_stream_has_two_comments_a_heartbeat() {
    let node = Node::new(Config::default()).expect("valid settings");
    let heartbeat = node.config.heartbeat;
    let (mut client, serving) = serve(identified(node, None).await).await;
    let mut read = vec![0; HEAD.len()];
    client.read_exact(&mut read).await.expect("a head");
    let start = Instant::now();
    let expected = b":\n\n".repeat(20);
    let mut comments = vec![0; expected.len()];
    client.read_exact(&mut comments).await.expect("comments");
    assert_eq!(comments, expected);
    let heartbeats = start.elapsed().div_duration_f64(heartbeat);
    assert!((9.0..=11.0).contains(&heartbeats), "{heartbeats}");
    drop(client);
    serving.await.expect("no panic");
}

/// The token ends during a renewal that would take an hour.
#[tokio::test]
async fn stalled_renewal_does_not_hold_up_the_stream() {
    let hour = Duration::from_secs(3600);
    let mut node = Node::new(Config::default()).expect("valid settings");
    (node.config.heartbeat, node.config.request_timeout) = (hour, hour);
    let store = Box::new(Stuck);
    node.sessions = Sessions::new(store, "n", 0, Duration::ZERO, Counter::default());
    let expires = Instant::now() + Duration::from_millis(10);
    let (mut client, serving) = serve(identified(node, Some(expires)).await).await;
    let mut read = String::new();
    while !read.contains("token expired") {
        let mut bytes = [0; 1024];
        let len = client.read(&mut bytes).await.expect("bytes");
        assert_ne!(len, 0, "ended early: {read}");
        read.push_str(str::from_utf8(&bytes[..len]).expect("text"));
    }
    drop(client);
    serving.await.expect("no panic");
}

#[test]
fn events_are_found_by_their_path() {
    let name = room("/api/rooms/a%2Fb%20%C3%BC/events");
    assert_eq!(name.as_deref(), Some("a/b ü"));
    for path in ["/api/rooms/a/b/events", "/api/rooms/%FF/events", "/events"] {
        assert_eq!(room(path), None, "{path}");
    }
}
