//! One of several servers, and its clients.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use chat_demo_client::payload::{Ack, Joined, Message};
use chat_demo_client::{Client, Event, Position};
use chat_demo_server::config::Config;
use chat_demo_server::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// Runs a test with a time limit.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let patience = Duration::from_secs(120);
    runtime
        .block_on(async { timeout(patience, test).await })
        .expect("the test hangs");
    runtime.shutdown_background();
}

pub(crate) struct Node {
    address: SocketAddr,
    server: Server,
}

impl Node {
    /// Starts a server that shares its rooms over a Redis, and waits until it is connected.
    pub(crate) async fn start(redis: &str) -> Self {
        Self::with(redis, |_| ()).await
    }

    pub(crate) async fn with(redis: &str, change: impl FnOnce(&mut Config)) -> Self {
        let node = Self::cut_off(redis, change);
        node.until_ready().await;
        node
    }

    /// Starts a server without waiting for Redis.
    pub(crate) fn cut_off(redis: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            drain_notice: Duration::ZERO,
            presence_limit: 0,
            // Disables limits that other programs could reach.
            max_cpu: 0,
            max_memory: 0,
            ..Config::default()
        };
        config.redis.redis = vec![redis.into()];
        change(&mut config);
        let server = Server::start(config).expect("a free port");
        Self {
            address: server.address(),
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    pub(crate) async fn connect(&self, name: &str) -> Client {
        let builder = Client::builder(&self.url()).name(name);
        builder.connect().await.expect("a welcome")
    }

    /// Returns a client that has joined a room.
    pub(crate) async fn enter(&self, name: &str, room: &str) -> Client {
        let mut client = self.connect(name).await;
        join(&mut client, room, None).await;
        client
    }

    /// Returns the answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1"), "").await
    }

    /// Returns the answer to a GET with a token.
    pub(crate) async fn get_as(&self, path: &str, token: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}");
        self.ask(&head, "").await
    }

    /// Returns the answer to a POST.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> String {
        let len = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: {len}"
        );
        self.ask(&head, body).await
    }

    async fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let host = self.address;
        let request = format!("{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n{body}");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.get("/readyz").await.ends_with("ready\n")
    }

    pub(crate) async fn until_ready(&self) {
        until(async || self.is_ready().await).await;
    }

    pub(crate) async fn until_cut_off(&self) {
        until(async || !self.is_ready().await).await;
    }

    pub(crate) async fn stop(self) {
        let drain = tokio::task::spawn_blocking(|| self.server.drain());
        drain.await.expect("no panic").expect("all leave");
    }
}

/// Polls until a condition holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    // The pauses leave the processors to the servers.
    let mut looks = interval(Duration::from_millis(10));
    while !holds().await {
        looks.tick().await;
    }
}

pub(crate) async fn next(client: &mut Client) -> Event {
    let event = client.next().await.expect("not the end");
    event.expect("something to read")
}

pub(crate) async fn join(client: &mut Client, room: &str, seen: Option<Position>) -> Joined {
    client.join(room, seen).await.expect("it is connected");
    match next(client).await {
        Event::Joined(joined) => joined,
        other => panic!("not joined: {other:?}"),
    }
}

/// Returns the next message, and skips other frames.
pub(crate) async fn message(client: &mut Client) -> Message {
    loop {
        if let Event::Message(message) = next(client).await {
            return message;
        }
    }
}

/// Returns the numbers and the texts of the next messages.
pub(crate) async fn messages(client: &mut Client, count: usize) -> Vec<(u64, String)> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let Message { seq, text, .. } = message(client).await;
        messages.push((seq, text));
    }
    messages
}

/// Returns the next ack, and skips other frames but errors.
pub(crate) async fn ack(client: &mut Client) -> Ack {
    loop {
        match next(client).await {
            Event::Ack(ack) => return ack,
            Event::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
}

/// Publishes texts, and waits for the number of each.
pub(crate) async fn say(client: &mut Client, room: &str, texts: &[&str]) -> Vec<u64> {
    let mut numbers = Vec::new();
    for text in texts {
        let published = client.publish(room, text, Some(text)).await;
        published.expect("it is connected");
        let ack = ack(client).await;
        assert_eq!(ack.id, *text);
        numbers.push(ack.seq);
    }
    numbers
}

/// Returns the members of a room, in the order of the answer.
pub(crate) async fn members(client: &mut Client, room: &str) -> Vec<String> {
    client.members(room).await.expect("it is connected");
    loop {
        if let Event::Members(members) = next(client).await {
            return members.users;
        }
    }
}
