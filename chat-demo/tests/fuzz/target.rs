//! A server that gets arbitrary bytes over real sockets. It must answer in whole messages, and
//! no handler may panic.

use std::io::{Cursor, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use bytes::Bytes;
use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use chat_demo_client::subprotocol::{self, Subprotocol};
use chat_demo_server::config::Config;
use chat_demo_server::server::Server;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Error, Message};

/// A close frame, masked with zeros.
const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];

pub(crate) struct Target(Server);

impl Target {
    pub(crate) fn start() -> Self {
        let config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            // Disables limits that other programs could reach.
            max_cpu: 0,
            max_memory: 0,
            ..Config::default()
        };
        Self(Server::start(config).expect("a free port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Sends bytes after a handshake, then a close, and reads to the end.
    pub(crate) fn stream(&self, bytes: &[u8]) {
        self.converse(bytes, Subprotocol::Json);
    }

    fn converse(&self, bytes: &[u8], subprotocol: Subprotocol) {
        let text = subprotocol == Subprotocol::Text;
        let answer = self.exchange(bytes, subprotocol);
        let mut socket = WebSocket::from_raw_socket(Cursor::new(answer), Role::Client, None);
        loop {
            match socket.read() {
                Ok(Message::Binary(message)) if !text => {
                    Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
                }
                Ok(Message::Text(message)) if text => {
                    subprotocol::read_text(&message).expect("an object with a type");
                }
                Ok(Message::Close(_) | Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => panic!("not spoken here: {message}"),
                // The client left without a close, or the server ended the connection.
                Err(
                    Error::ConnectionClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ) => return,
                Err(error) => panic!("the answer is no WebSocket: {error}"),
            }
        }
    }

    /// Sends frames after a hello, over one connection for each subprotocol. In `bytes`, each is
    /// kind, length and payload.
    pub(crate) fn conversation(&self, bytes: &[u8]) {
        for subprotocol in Subprotocol::ALL {
            let hello: &[u8] = match subprotocol {
                Subprotocol::Json => b"{}",
                Subprotocol::Protobuf => b"",
                Subprotocol::Text => br#"{"type":"hello"}"#,
            };
            let mut stream = said(Kind::HELLO, hello, subprotocol);
            let mut rest = bytes;
            while let Some((&[kind, len], more)) = rest.split_first_chunk() {
                let (payload, more) = more.split_at(more.len().min(len.into()));
                stream.extend(said(Kind(kind), payload, subprotocol));
                rest = more;
            }
            self.converse(&stream, subprotocol);
        }
    }

    /// Returns the server's answer after its handshake.
    fn exchange(&self, bytes: &[u8], subprotocol: Subprotocol) -> Vec<u8> {
        let address = self.address();
        let mut stream = TcpStream::connect(address).expect("it listens");
        let handshake = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            subprotocol.name()
        );
        let all = [handshake.as_bytes(), bytes, &CLOSE].concat();
        stream.write_all(&all).expect("it reads");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it hangs up");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        answer.split_off(head.expect("a head") + 4)
    }
}

/// Returns a WebSocket message with a frame or a text, as a client sends it. The mask is zero, so
/// the bytes do not change.
fn said(kind: Kind, payload: &[u8], subprotocol: Subprotocol) -> Vec<u8> {
    let (op, body) = match subprotocol {
        Subprotocol::Text => (0x81, Bytes::copy_from_slice(payload)),
        _ => (0x82, Frame { kind, payload }.encode()),
    };
    let len = u16::try_from(body.len()).expect("it is short");
    let [high, low] = len.to_be_bytes();
    [&[op, 0xFE, high, low, 0, 0, 0, 0], &body[..]].concat()
}
