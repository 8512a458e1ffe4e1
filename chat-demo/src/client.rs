//! A client of the server, for programs: frames in JSON over one WebSocket.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{Message as WsMessage, WebSocketConfig},
    },
};

use crate::{
    frame::{Frame, FrameError, HEADER_LEN, Kind, MAX_PAYLOAD},
    payload,
};

/// The subprotocol that the client asks for.
const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("chat.json.v1");
/// The library's own 128 KiB would be most of the memory of a program with many clients.
const READ_BUFFER: usize = 4 * 1024;

/// What a client could not do, and why.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one of a WebSocket without TLS.
    #[error("{0:?} is not an address like ws://127.0.0.1:8080/ws")]
    Address(String),
    /// No TCP connection came about.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not agree to a WebSocket; its HTTP status is in the cause.
    #[error("the handshake failed: {0}")]
    Handshake(#[source] Box<tungstenite::Error>),
    /// The server answered hello with an error frame.
    #[error("the server refused the hello: {}", .0.message)]
    Refused(payload::Error),
    /// The server closed the connection before its welcome.
    #[error("closed before the welcome: {code} {reason}")]
    NotWelcome {
        /// The close code; 1005 when it had none, 1006 when nothing announced the end.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Socket(#[source] Box<tungstenite::Error>),
    /// The bytes are not a frame, or would not fit one.
    #[error("bad frame: {0}")]
    Frame(#[from] FrameError),
    /// A text message, where the protocol has binary ones.
    #[error("a text message came instead of a frame")]
    Text,
    /// The payload is not what its type promises.
    #[error("bad payload of a frame of type {kind}: {source}")]
    Payload {
        /// The type of the frame.
        kind: Kind,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The result of what a client does.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;

/// What a server tells a client after the welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The client is a member now.
    Joined(payload::Joined),
    /// Someone said something, perhaps this client.
    Message(payload::Message),
    /// A text of this client has its number.
    Ack(payload::Ack),
    /// A frame of this client was refused.
    Error(payload::Error),
    /// Who is in a room.
    Members(payload::Members),
    /// An order changed.
    OrderUpdate(payload::OrderUpdate),
    /// A user's state changed.
    UserState(payload::UserState),
    /// An announcement.
    Alert(payload::Alert),
    /// The server will end the connection.
    Bye(payload::Bye),
    /// The server ended the connection; nothing follows.
    Closed {
        /// The close code, or 1005 for none.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// A frame of a type that this client does not know.
    Unknown(Kind),
}

/// A connection that has been welcomed.
///
/// It sends heartbeats while [`next`](Self::next) or [`next_frame`](Self::next_frame) is awaited, so a program that
/// stays has to read.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    welcome: payload::Welcome,
    heartbeat: Interval,
}

impl Client {
    /// Connects to `url`, like `ws://127.0.0.1:8080/ws`, as the guest `name`.
    pub async fn connect(url: &str, name: &str) -> Result<Self> {
        let target = target(url)?;
        let connected = TcpStream::connect(&target).await;
        let stream = connected.map_err(|source| ClientError::Connect { target, source })?;
        Self::open(
            stream,
            url,
            &payload::Hello {
                name: Some(name.to_owned()),
                token: None,
            },
        )
        .await
    }

    /// Introduces itself over a TCP connection to the server that is already there.
    pub async fn open(stream: TcpStream, url: &str, hello: &payload::Hello) -> Result<Self> {
        let mut request = url
            .into_client_request()
            .map_err(|_| ClientError::Address(url.to_owned()))?;
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        // Frames are small and leave whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| ClientError::Handshake(Box::new(error)))?;
        send(&mut socket, Kind::HELLO, hello).await?;
        let welcome = welcome(&mut socket).await?;
        let period = Duration::from_millis(welcome.heartbeat_ms.max(1));
        let mut heartbeat = interval_at(Instant::now() + period, period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            socket,
            welcome,
            heartbeat,
        })
    }

    /// What the server said to the hello.
    #[must_use]
    pub fn welcome(&self) -> &payload::Welcome {
        &self.welcome
    }

    /// Asks for membership in `room`; [`Event::Joined`] answers.
    pub async fn join(&mut self, room: &str) -> Result<()> {
        self.send(
            Kind::JOIN,
            &payload::Join {
                room: room.to_owned(),
                after: None,
            },
        )
        .await
    }

    /// Gives up membership in `room`.
    pub async fn leave(&mut self, room: &str) -> Result<()> {
        self.send(
            Kind::LEAVE,
            &payload::Leave {
                room: room.to_owned(),
            },
        )
        .await
    }

    /// Says `text` in `room`; with an `id`, [`Event::Ack`] or [`Event::Error`] answers.
    pub async fn publish(&mut self, room: &str, text: &str, id: Option<&str>) -> Result<()> {
        let id = id.map(str::to_owned);
        self.send(
            Kind::PUBLISH,
            &payload::Publish {
                room: room.to_owned(),
                text: text.to_owned(),
                id,
            },
        )
        .await
    }

    /// Sends any frame.
    pub async fn send<P: Serialize + ?Sized>(&mut self, kind: Kind, payload: &P) -> Result<()> {
        send(&mut self.socket, kind, payload).await
    }

    /// What the server says next; `None` after the end. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            return Some(match self.next_frame().await? {
                Ok(Received::Frame(Kind::HEARTBEAT, _)) => continue,
                Ok(Received::Frame(kind, payload)) => event(kind, &payload),
                Ok(Received::Close { code, reason }) => Ok(Event::Closed { code, reason }),
                Err(error) => Err(error),
            });
        }
    }

    /// The next frame with its payload unread, for programs that count more than they read. Safe to cancel.
    pub async fn next_frame(&mut self) -> Option<Result<Received>> {
        loop {
            tokio::select! {
                biased;
                _ = self.heartbeat.tick() => {
                    let beat = Frame { kind: Kind::HEARTBEAT, payload: &[] }.encode();
                    // A dead connection shows itself to the reading side, with its reason.
                    let _ = self.socket.send(WsMessage::Binary(beat)).await;
                }
                received = receive(&mut self.socket) => return received,
            }
        }
    }

    /// Says goodbye and waits until the server has said it too.
    pub async fn close(mut self) -> Result<()> {
        self.socket.close(None).await.map_err(broken)?;
        while let Some(message) = self.socket.next().await {
            message.map_err(broken)?;
        }
        Ok(())
    }
}

/// A WebSocket message, as far as a client cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The type of a frame, and its payload.
    Frame(Kind, Bytes),
    /// The server ends the connection.
    Close {
        /// The close code, or 1005 for none.
        code: u16,
        /// What the server said.
        reason: String,
    },
}

/// Host and port of `url`.
pub(crate) fn target(url: &str) -> Result<String> {
    let address = || ClientError::Address(url.to_owned());
    let request = url.into_client_request().map_err(|_| address())?;
    let uri = request.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("ws"), Some(host)) => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        _ => Err(address()),
    }
}

async fn send<P: Serialize + ?Sized>(
    socket: &mut WebSocketStream<TcpStream>,
    kind: Kind,
    payload: &P,
) -> Result<()> {
    let payload =
        serde_json::to_vec(payload).map_err(|source| ClientError::Payload { kind, source })?;
    if payload.len() > MAX_PAYLOAD {
        return Err(FrameError::TooLarge {
            len: payload.len(),
            max: MAX_PAYLOAD,
        }
        .into());
    }
    let frame = Frame {
        kind,
        payload: &payload,
    }
    .encode();
    socket.send(WsMessage::Binary(frame)).await.map_err(broken)
}

async fn receive(socket: &mut WebSocketStream<TcpStream>) -> Option<Result<Received>> {
    loop {
        return Some(match socket.next().await? {
            Ok(WsMessage::Binary(message)) => split(&message),
            Ok(WsMessage::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                Ok(Received::Close { code, reason })
            }
            Ok(WsMessage::Text(_)) => Err(ClientError::Text),
            Ok(_) => continue,
            Err(error) => Err(broken(error)),
        });
    }
}

/// Checks the frame and shares its payload.
fn split(message: &Bytes) -> Result<Received> {
    let frame = Frame::decode(message, MAX_PAYLOAD)?;
    let payload = message.slice(HEADER_LEN..HEADER_LEN + frame.payload.len());
    Ok(Received::Frame(frame.kind, payload))
}

async fn welcome(socket: &mut WebSocketStream<TcpStream>) -> Result<payload::Welcome> {
    while let Some(received) = receive(socket).await {
        match received? {
            Received::Frame(Kind::WELCOME, payload) => return read(Kind::WELCOME, &payload),
            Received::Frame(Kind::ERROR, payload) => {
                return Err(ClientError::Refused(read(Kind::ERROR, &payload)?));
            }
            Received::Frame(..) => {}
            Received::Close { code, reason } => {
                return Err(ClientError::NotWelcome { code, reason });
            }
        }
    }
    Err(ClientError::NotWelcome {
        code: 1006,
        reason: String::new(),
    })
}

fn event(kind: Kind, payload: &[u8]) -> Result<Event> {
    Ok(match kind {
        Kind::JOINED => Event::Joined(read(kind, payload)?),
        Kind::MESSAGE => Event::Message(read(kind, payload)?),
        Kind::ACK => Event::Ack(read(kind, payload)?),
        Kind::ERROR => Event::Error(read(kind, payload)?),
        Kind::MEMBERS => Event::Members(read(kind, payload)?),
        Kind::ORDER_UPDATE => Event::OrderUpdate(read(kind, payload)?),
        Kind::USER_STATE => Event::UserState(read(kind, payload)?),
        Kind::ALERT => Event::Alert(read(kind, payload)?),
        Kind::BYE => Event::Bye(read(kind, payload)?),
        kind => Event::Unknown(kind),
    })
}

fn read<P: DeserializeOwned>(kind: Kind, payload: &[u8]) -> Result<P> {
    serde_json::from_slice(payload).map_err(|source| ClientError::Payload { kind, source })
}

fn broken(error: tungstenite::Error) -> ClientError {
    ClientError::Socket(Box::new(error))
}
