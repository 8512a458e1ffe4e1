//! One WebSocket connection, from its upgrade to its end: one future, in one slot of the pool.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::context::Context;
use crate::error::{CloseReason, Refusal};
use crate::frame::{self, Frame, FrameError, Kind};
use crate::node::Node;
use crate::outbox::Ended;
use crate::payload::ErrorCode;
use crate::router::Router;
use crate::subprotocol::{self, PayloadError, Subprotocol};
use crate::tally::UNKNOWN;
use crate::transport::Duct;

/// What a connection reads at a time, and so what an idle one holds; larger messages make it grow.
const READ_BUFFER: usize = 512;
/// Frames that one client may have handled before others get their turn.
const TURN: usize = 32;
/// Time for the last bytes to leave and the client to hang up.
const FINISH: Duration = Duration::from_secs(3);

/// Serves a client whose upgrade is done. `head` is what came with the upgrade's request.
pub(crate) fn run(
    stream: TcpStream,
    head: Bytes,
    subprotocol: Subprotocol,
    node: Arc<Node>,
    router: Arc<Router>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut session = Session::new(stream, head, Context::new(node, subprotocol), router);
    // A block, for a function would hold its argument twice: once as passed, once as used.
    async move {
        session.serve().await;
        // Boxed: this is no weight to carry until the end.
        Box::pin(session.close()).await;
    }
}

struct Session {
    socket: WebSocketStream<Duct>,
    context: Context,
    router: Arc<Router>,
    opened: Instant,
    /// When anything came last.
    last_heard: Instant,
    /// Messages taken since others had their turn.
    turn: usize,
}

enum Event {
    Message(Message),
    /// Nobody will send, or be written to, any more.
    Over,
}

impl Session {
    fn new(stream: TcpStream, head: Bytes, context: Context, router: Arc<Router>) -> Self {
        let outbox = context.connection.outbox.clone();
        let duct = Duct::new(stream, head, outbox, context.node.tally.traffic.clone());
        let limit = context.node.config.max_payload + frame::OVERHEAD;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        let socket = WebSocketStream::from_raw_socket(duct, Role::Server, Some(config));
        let socket = socket
            .now_or_never()
            .expect("the handshake is done: nothing to wait for");
        let now = Instant::now();
        Self {
            socket,
            context,
            router,
            opened: now,
            last_heard: now,
            turn: 0,
        }
    }

    /// Until the conversation has ended, from whichever side.
    async fn serve(&mut self) {
        let mut timer = pin!(sleep_until(self.deadline().0));
        while let Event::Message(message) = poll_fn(|cx| self.poll_event(cx, timer.as_mut())).await
        {
            self.last_heard = Instant::now();
            let text = self.context.subprotocol() == Subprotocol::Text;
            match &message {
                _ if self.is_expired() => self.end(CloseReason::TokenExpired),
                Message::Binary(message) if !text => self.obey_frame(message).await,
                Message::Text(message) if text => self.obey_text(message).await,
                Message::Binary(_) | Message::Text(_) => self.end(CloseReason::Unsupported),
                // The library answers pings and closes.
                _ => {}
            }
            // A later deadline is met when the timer rings; only an earlier one, which a hello may bring, moves it.
            let (deadline, _) = self.deadline();
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
        }
    }

    async fn obey_frame(&mut self, message: &[u8]) {
        match Frame::decode(message, self.context.node.config.max_payload) {
            Ok(frame) => self.obey(frame).await,
            Err(error) => {
                self.count_unknown();
                let too_large = matches!(error, FrameError::TooLarge { .. });
                let code = if too_large {
                    ErrorCode::TooLarge
                } else {
                    ErrorCode::BadFrame
                };
                self.distrust(code, &error);
            }
        }
    }

    async fn obey_text(&mut self, message: &str) {
        let payload = message.as_bytes();
        let (code, error) = match subprotocol::read_text(message) {
            Ok(kind) => return self.obey(Frame { kind, payload }).await,
            Err(error @ PayloadError::Kind(_)) => (ErrorCode::UnknownType, error),
            Err(error) => (ErrorCode::BadPayload, error),
        };
        self.count_unknown();
        self.context.refuse(&Refusal::new(code, error.to_string()));
    }

    async fn obey(&mut self, frame: Frame<'_>) {
        let Self {
            socket,
            context,
            router,
            ..
        } = self;
        context.node.tally.frames_in.inc(frame.kind);
        let outcome = match router.dispatch(context, frame) {
            // While the handler waits for a room, what others sent goes out.
            Ok(mut answer) => {
                let poll = |cx: &mut TaskContext<'_>| {
                    let outcome = answer.as_mut().poll(cx);
                    if outcome.is_pending() {
                        // An error shows again in the next poll for an event.
                        let _ = socket.get_ref().poll_drain(cx);
                    }
                    outcome
                };
                poll_fn(poll).await
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = outcome {
            context.refuse(&refusal);
            if let Some(reason) = refusal.closes() {
                self.end(reason);
            }
        }
    }

    /// Counts what is no frame of any type.
    fn count_unknown(&self) {
        self.context.node.tally.frames_in.inc(UNKNOWN);
    }

    /// The next message. Reads before it writes: the replies to all that has arrived leave together.
    fn poll_event(&mut self, cx: &mut TaskContext<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Event> {
        loop {
            if self.context.connection.outbox.ended().is_some() {
                return Poll::Ready(Event::Over);
            }
            if self.turn < TURN
                && let Poll::Ready(message) = self.socket.poll_next_unpin(cx)
            {
                self.turn += 1;
                match message {
                    Some(Ok(message)) => return Poll::Ready(Event::Message(message)),
                    Some(Err(error)) => self.fail(&error),
                    None => self.context.connection.outbox.end_by_client(),
                }
                continue;
            }
            let drained = self.socket.get_ref().poll_drain(cx).is_ready();
            // Looked at again: who ended it since the first look found nobody to wake.
            if drained || self.context.connection.outbox.ended().is_some() {
                return Poll::Ready(Event::Over);
            }
            // Also when there is more to read: no client talks itself past its deadline.
            if timer.as_mut().poll(cx).is_ready() {
                let (deadline, reason) = self.deadline();
                if deadline <= Instant::now() {
                    self.end(reason);
                } else {
                    timer.as_mut().reset(deadline);
                }
                continue;
            }
            if mem::take(&mut self.turn) == TURN {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    /// How long the connection may go on as it is, and what it means when that time is over.
    fn deadline(&self) -> (Instant, CloseReason) {
        let config = &self.context.node.config;
        if !self.context.is_active() {
            let hello = self.opened + config.hello_timeout;
            return (hello, CloseReason::HelloTimeout);
        }
        let idle = self.last_heard + config.idle_timeout;
        match self.context.expires() {
            Some(expires) if expires < idle => (expires, CloseReason::TokenExpired),
            _ => (idle, CloseReason::Idle),
        }
    }

    /// Whether what came came too late to be obeyed.
    fn is_expired(&self) -> bool {
        let expires = self.context.expires();
        expires.is_some_and(|expires| expires <= self.last_heard)
    }

    /// The client does not speak WebSocket as it should, or is gone.
    fn fail(&self, error: &Error) {
        match error {
            Error::Capacity(_) => {
                let limit = self.context.node.config.max_payload;
                let error = format!("the payload is over the limit of {limit} bytes");
                self.distrust(ErrorCode::TooLarge, &error);
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) => {
                self.context.connection.outbox.abandon();
            }
            _ => self.end(CloseReason::BadFrame),
        }
    }

    /// What came cannot be read: tells why, and ends.
    fn distrust(&self, code: ErrorCode, error: &dyn Display) {
        self.context.refuse(&Refusal::new(code, error.to_string()));
        self.end(if code == ErrorCode::TooLarge {
            CloseReason::TooLarge
        } else {
            CloseReason::BadFrame
        });
    }

    fn end(&self, reason: CloseReason) {
        self.context.connection.outbox.end(reason);
    }

    /// Leaves the rooms, and lets the last bytes out.
    async fn close(&mut self) {
        let ended = self.context.connection.outbox.ended();
        if let Some(Ended::ByServer(reason)) = ended {
            let tally = &self.context.node.tally;
            tally.closed.inc(reason);
            if reason.says_bye() {
                tally.frames_out.inc(Kind::BYE);
            }
        }
        self.context.leave_all().await;
        // Too slow, or gone: nothing is left to be said.
        let _ = timeout(FINISH, self.socket.get_mut().finish()).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn an_idle_connection_is_a_small_future() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        let node = Node::new(Config::default()).expect("valid settings");
        let session = run(
            stream,
            Bytes::new(),
            Subprotocol::Json,
            Arc::new(node),
            Arc::new(Router::new(false)),
        );
        let size = size_of_val(&session);
        assert!(size <= 1024, "{size} bytes");
    }
}
