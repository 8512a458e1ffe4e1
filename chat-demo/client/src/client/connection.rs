//! One connection that has been welcomed: frames both ways, heartbeats, and detection of
//! silence.

use std::{
    future::poll_fn,
    mem,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{Message as WsMessage, WebSocketConfig},
    },
};

use super::{
    error::{ClientError, Result, broken},
    event::Received,
    pulse::{Due, Pulse},
};
use crate::{
    frame::{Frame, FrameError, HEADER_LEN, Kind, MAX_PAYLOAD},
    payload::{self, Close, Payload},
    subprotocol::{PayloadError, Subprotocol, read_text},
};

/// The library's default of 128 KiB would dominate the memory of a program with many clients.
const READ_BUFFER: usize = 4 * 1024;
/// Messages to read before the clock is read again.
const TURN: usize = 64;

/// A connection. It makes progress only while it is polled for messages.
#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocketStream<TcpStream>,
    pub(super) subprotocol: Subprotocol,
    pub(super) welcome: payload::Welcome,
    /// Whether all queued frames were sent.
    flushed: bool,
    pulse: Pulse,
    /// Messages read since the clock was read.
    turn: usize,
    /// Whether the connection has ended.
    over: bool,
}

impl Connection {
    /// Performs the handshake and the hello over a stream.
    pub(super) async fn open(
        stream: TcpStream,
        url: &str,
        hello: &payload::Hello,
        subprotocol: Subprotocol,
    ) -> Result<Self> {
        let mut request = url
            .into_client_request()
            .map_err(|_| ClientError::Address(url.to_owned()))?;
        let name = HeaderValue::from_static(subprotocol.name());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
        // Frames are small and leave whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| ClientError::Handshake(Box::new(error)))?;
        let sent = socket.send(said(hello, subprotocol)).await;
        sent.map_err(broken)?;
        let welcome = welcome(&mut socket, subprotocol).await?;
        Ok(Self {
            socket,
            subprotocol,
            flushed: true,
            pulse: Pulse::new(&welcome),
            welcome,
            turn: 0,
            over: false,
        })
    }

    /// Queues a frame, which is sent with the next flush at the latest.
    pub(super) fn feed(&mut self, frame: Bytes) -> Result<()> {
        self.feed_message(WsMessage::Binary(frame))
    }

    /// Queues a payload in the connection's subprotocol.
    pub(super) fn say<P: Payload>(&mut self, payload: &P) -> Result<()> {
        self.feed_message(said(payload, self.subprotocol))
    }

    fn feed_message(&mut self, message: WsMessage) -> Result<()> {
        self.flushed = false;
        self.pulse.sent = Instant::now();
        let fed = self.socket.start_send_unpin(message);
        fed.map_err(broken)
    }

    /// Ready when all queued frames were sent.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.flushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = self.socket.poll_flush_unpin(cx);
        self.flushed = matches!(flushed, Poll::Ready(Ok(())));
        flushed.map_err(broken)
    }

    /// Returns the next message; `None` after the end. Meanwhile, sends heartbeats and queued
    /// frames.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Received>>> {
        if self.over {
            return Poll::Ready(None);
        }
        loop {
            if self.turn < TURN
                && let Poll::Ready(received) = poll_read(&mut self.socket, self.subprotocol, cx)
            {
                self.turn += 1;
                self.pulse.heard_something = true;
                self.over = !matches!(received, Some(Ok(_)));
                return Poll::Ready(received);
            }
            match self.pulse.poll(cx) {
                Poll::Ready(Due::Heartbeat) => self.beat(),
                Poll::Ready(Due::End(silence)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(ClientError::Silent(silence))));
                }
                Poll::Pending => {
                    // A dead connection shows itself to the reading side, with its reason.
                    let _ = self.poll_flush(cx);
                    if mem::take(&mut self.turn) < TURN {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Sends a close and waits for the server's close.
    pub(super) async fn close(mut self) -> Result<()> {
        self.socket.close(None).await.map_err(broken)?;
        while let Some(received) = poll_fn(|cx| self.poll_receive(cx)).await {
            received?;
        }
        Ok(())
    }

    fn beat(&mut self) {
        let mut payload = Vec::new();
        self.subprotocol.write_empty(Kind::HEARTBEAT, &mut payload);
        let beat = message(Kind::HEARTBEAT, payload, self.subprotocol);
        // Ignore errors: the reading side reports them.
        let _ = self.feed_message(beat);
    }
}

/// Encodes a frame of `kind`, within the receiver's payload limit.
pub(super) fn encode<P: Serialize + ?Sized>(kind: Kind, payload: &P, max: u32) -> Result<Bytes> {
    let payload =
        serde_json::to_vec(payload).map_err(|source| ClientError::Payload { kind, source })?;
    let len = payload.len();
    let max = usize::try_from(max).map_or(MAX_PAYLOAD, |max| max.min(MAX_PAYLOAD));
    if len > max {
        return Err(FrameError::TooLarge { len, max }.into());
    }
    let payload = &payload;
    Ok(Frame { kind, payload }.encode())
}

/// Encodes a payload as a WebSocket message.
fn said<P: Payload>(payload: &P, subprotocol: Subprotocol) -> WsMessage {
    let mut bytes = Vec::new();
    subprotocol.write(payload, &mut bytes);
    message(P::KIND, bytes, subprotocol)
}

fn message(kind: Kind, payload: Vec<u8>, subprotocol: Subprotocol) -> WsMessage {
    if subprotocol == Subprotocol::Text {
        let text = String::from_utf8(payload).expect("JSON is text");
        return WsMessage::Text(text.into());
    }
    let payload = &payload;
    WsMessage::Binary(Frame { kind, payload }.encode())
}

fn poll_read(
    socket: &mut WebSocketStream<TcpStream>,
    subprotocol: Subprotocol,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Received>>> {
    loop {
        let Some(message) = ready!(socket.poll_next_unpin(cx)) else {
            return Poll::Ready(None);
        };
        return Poll::Ready(Some(match message {
            Ok(WsMessage::Binary(message)) => split(&message),
            Ok(WsMessage::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                Ok(Received::Close(Close { code, reason }))
            }
            Ok(WsMessage::Text(text)) if subprotocol == Subprotocol::Text => read_text(&text)
                .map(|kind| Received::Frame(kind, text.into()))
                .map_err(|_| ClientError::Text),
            Ok(WsMessage::Text(_)) => Err(ClientError::Text),
            Ok(_) => continue,
            Err(error) => Err(broken(error)),
        }));
    }
}

/// Checks the frame and shares its payload.
fn split(message: &Bytes) -> Result<Received> {
    let frame = Frame::decode(message, MAX_PAYLOAD)?;
    let payload = message.slice(HEADER_LEN..HEADER_LEN + frame.payload.len());
    Ok(Received::Frame(frame.kind, payload))
}

async fn welcome(
    socket: &mut WebSocketStream<TcpStream>,
    subprotocol: Subprotocol,
) -> Result<payload::Welcome> {
    while let Some(received) = poll_fn(|cx| poll_read(socket, subprotocol, cx)).await {
        match received? {
            Received::Frame(Kind::WELCOME, payload) => {
                return read_in(subprotocol, &payload);
            }
            Received::Frame(Kind::ERROR, payload) => {
                return Err(ClientError::Refused(read_in(subprotocol, &payload)?));
            }
            Received::Frame(..) => {}
            Received::Close(close) => return Err(ClientError::NotWelcome(close)),
        }
    }
    Err(ClientError::NotWelcome(Close::missing()))
}

fn read_in<P: Payload>(subprotocol: Subprotocol, payload: &[u8]) -> Result<P> {
    let kind = P::KIND;
    subprotocol.read(payload).map_err(|error| {
        let source = match error {
            PayloadError::Json(source) => source,
            error => serde::de::Error::custom(error),
        };
        ClientError::Payload { kind, source }
    })
}
