//! A server, and clients that share only the frame codec with it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use chat_demo_server::config::Config;
use chat_demo_server::error::ServeError;
use chat_demo_server::server;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::interval;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Runs a test with a time limit.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let patience = Duration::from_secs(60);
    runtime
        .block_on(async { tokio::time::timeout(patience, test).await })
        .expect("the test hangs");
    runtime.shutdown_background();
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    server: server::Server,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::try_with(change).expect("a free port")
    }

    pub(crate) fn try_with(change: impl FnOnce(&mut Config)) -> Result<Self, ServeError> {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            // Disables limits that other programs could reach.
            max_cpu: 0,
            max_memory: 0,
            ..Config::default()
        };
        config.drain_notice = Duration::ZERO;
        // No presence comes between the frames of a test.
        config.presence_limit = 0;
        change(&mut config);
        let server = server::Server::start(config)?;
        Ok(Self {
            address: server.address(),
            server,
        })
    }

    /// Drains the server.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), ServeError>> {
        tokio::task::spawn_blocking(|| self.server.drain())
    }

    pub(crate) fn request(&self) -> Request {
        format!("ws://{}/ws", self.address)
            .into_client_request()
            .expect("a request")
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        Client::over(stream, self.request())
            .await
            .expect("an upgrade")
    }

    /// Returns a client with small socket buffers.
    pub(crate) async fn connect_with_small_buffer(&self) -> Client {
        let stream = self.reach_with_small_buffer();
        Client::over(stream, self.request())
            .await
            .expect("an upgrade")
    }

    /// Returns a socket that has sent these bytes.
    pub(crate) async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.expect("it listens");
        socket.write_all(bytes).await.expect("it reads");
        socket
    }

    pub(crate) fn reach_with_small_buffer(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(4096).expect("an open socket");
        socket.connect(&self.address.into()).expect("it listens");
        socket.set_nonblocking(true).expect("an open socket");
        TcpStream::from_std(socket.into()).expect("a runtime")
    }

    /// Returns a client that has sent its hello.
    pub(crate) async fn enter(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        client.say(Kind::HELLO, json!({ "name": name })).await;
        client.expect(Kind::WELCOME).await;
        client
    }

    /// Returns a client that has joined a room.
    pub(crate) async fn enter_room(&self, name: &str, room: &str) -> Client {
        let mut client = self.enter(name).await;
        client.join(room).await;
        client
    }

    /// Performs one HTTP exchange.
    pub(crate) async fn http(&self, request: &str) -> Response {
        http(self.address, request).await
    }

    /// Performs one HTTP exchange with a body.
    pub(crate) async fn http_with_body(&self, request: &str, body: &str) -> Response {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        exchange_body(stream, &self.address.to_string(), request, body).await
    }

    pub(crate) async fn stats(&self) -> Value {
        stats(self.address).await
    }

    /// Polls until the figures are as expected.
    pub(crate) async fn until(&self, wanted: impl Fn(&Value) -> bool) {
        until(async || wanted(&self.stats().await)).await;
    }
}

/// Returns a server's figures.
pub(crate) async fn stats(address: SocketAddr) -> Value {
    let answer = http(address, "GET /api/stats HTTP/1.1").await;
    serde_json::from_str(&answer.body).expect("JSON")
}

/// Polls until a condition holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    // The pauses leave the processors to the server.
    let mut looks = interval(Duration::from_millis(10));
    while !holds().await {
        looks.tick().await;
    }
}

/// Performs one HTTP exchange with a server.
pub(crate) async fn http(address: SocketAddr, request: &str) -> Response {
    let stream = TcpStream::connect(address).await.expect("it listens");
    exchange(stream, &address.to_string(), request).await
}

/// Performs one HTTP exchange over a stream.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    request: &str,
) -> Response {
    exchange_body(stream, host, request, "").await
}

async fn exchange_body(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    request: &str,
    body: &str,
) -> Response {
    let request = format!("{request}\r\nHost: {host}\r\nConnection: close\r\n\r\n{body}");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .expect("a status")
        .parse()
        .expect("a number");
    Response {
        status,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Reads until the bytes are as expected, and returns them.
pub(crate) async fn read_until(socket: &mut TcpStream, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut seen = Vec::new();
    while !wanted(&seen) {
        let read = socket.read_buf(&mut seen).await.expect("an answer");
        assert_ne!(read, 0, "ended at {:?}", String::from_utf8_lossy(&seen));
    }
    seen
}

pub(crate) struct Response {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Client<S = TcpStream>(pub(crate) WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S, request: Request) -> Result<Self, Error> {
        Ok(Self(
            tokio_tungstenite::client_async(request, stream).await?.0,
        ))
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("the server reads");
    }

    pub(crate) async fn say(&mut self, kind: Kind, payload: Value) {
        let payload = if payload.is_null() {
            String::new()
        } else {
            payload.to_string()
        };
        let frame = Frame {
            kind,
            payload: payload.as_bytes(),
        }
        .encode();
        self.send(Message::Binary(frame)).await;
    }

    /// Returns the next frame, with `null` for no payload.
    pub(crate) async fn receive(&mut self) -> (Kind, Value) {
        loop {
            match self
                .0
                .next()
                .await
                .expect("not the end")
                .expect("WebSocket")
            {
                Message::Binary(message) => {
                    let frame = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
                    let payload = if frame.payload.is_empty() {
                        b"null"
                    } else {
                        frame.payload
                    };
                    return (frame.kind, serde_json::from_slice(payload).expect("JSON"));
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a frame: {other:?}"),
            }
        }
    }

    /// Returns the payload of the next frame, which must be of a kind.
    pub(crate) async fn expect(&mut self, kind: Kind) -> Value {
        let (received, payload) = self.receive().await;
        assert_eq!(received, kind, "with {payload}");
        payload
    }

    /// Expects an error as the next frame.
    pub(crate) async fn expect_error(&mut self, code: &str) -> Value {
        let error = self.expect(Kind::ERROR).await;
        assert_eq!(error["code"], code, "{error}");
        error
    }

    /// Expects a close after any number of frames.
    pub(crate) async fn expect_close_at_last(&mut self, code: u16) {
        loop {
            let message = self
                .0
                .next()
                .await
                .expect("not the end")
                .expect("WebSocket");
            if let Message::Close(close) = message {
                return assert_eq!(close.map(|close| close.code.into()), Some(code));
            }
        }
    }

    /// Expects a close as the next frame.
    pub(crate) async fn expect_close(&mut self, code: u16) {
        let message = self
            .0
            .next()
            .await
            .expect("not the end")
            .expect("WebSocket");
        let Message::Close(Some(close)) = message else {
            panic!("not a close: {message:?}")
        };
        assert_eq!(u16::from(close.code), code, "{close}");
    }

    pub(crate) async fn join(&mut self, room: &str) -> Value {
        self.say(Kind::JOIN, json!({ "room": room })).await;
        self.expect(Kind::JOINED).await
    }

    pub(crate) async fn publish(&mut self, room: &str, text: &str) {
        self.say(Kind::PUBLISH, json!({ "room": room, "text": text }))
            .await;
    }

    /// Closes the connection with a close frame.
    pub(crate) async fn close(mut self) {
        self.0.close(None).await.expect("the server answers");
        while self.0.next().await.is_some() {}
    }
}
