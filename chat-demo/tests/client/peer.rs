//! A server for tests, with answers that a real one does not give.

use std::net::SocketAddr;

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub(crate) struct Peer {
    pub(crate) url: String,
    listener: TcpListener,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        Self {
            url: format!("ws://{address}/ws"),
            listener,
        }
    }

    /// The next client, after its hello.
    pub(crate) async fn accept(&self) -> Guest {
        let (stream, _) = self.listener.accept().await.expect("a client");
        #[expect(clippy::result_large_err, reason = "the library's own type")]
        let agree = |_: &Request, mut response: Response| {
            let spoken = "chat.json.v1".parse().expect("a header's value");
            response
                .headers_mut()
                .insert("sec-websocket-protocol", spoken);
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, agree).await;
        let mut guest = Guest(socket.expect("a handshake"));
        guest.expect(Kind::HELLO).await;
        guest
    }

    /// The next client, welcomed.
    pub(crate) async fn welcome(&self, heartbeat_ms: u64, idle_ms: u64) -> Guest {
        let mut guest = self.accept().await;
        let welcome = json!({
            "session": "s", "user": "u", "node": "peer", "heartbeat_ms": heartbeat_ms, "idle_ms": idle_ms,
            "max_payload": 1024
        });
        guest.say(Kind::WELCOME, welcome).await;
        guest
    }
}

pub(crate) struct Guest(WebSocketStream<TcpStream>);

impl Guest {
    pub(crate) async fn say(&mut self, kind: Kind, payload: Value) {
        let payload = payload.to_string();
        let payload = payload.as_bytes();
        let message = Message::Binary(Frame { kind, payload }.encode());
        self.0.send(message).await.expect("the client reads");
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        let message = Message::Text(text.into());
        self.0.send(message).await.expect("the client reads");
    }

    /// The next frame, which has to be of a kind.
    pub(crate) async fn expect(&mut self, kind: Kind) -> Value {
        let message = self.0.next().await.expect("not the end");
        let message = message.expect("WebSocket").into_data();
        let frame = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
        assert_eq!(frame.kind, kind);
        serde_json::from_slice(frame.payload).unwrap_or_default()
    }

    pub(crate) async fn close(mut self, code: u16) {
        let close = CloseFrame {
            code: code.into(),
            reason: "go away".into(),
        };
        self.0.close(Some(close)).await.expect("the client reads");
        while let Some(Ok(_)) = self.0.next().await {}
    }
}
