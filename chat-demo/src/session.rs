//! One WebSocket connection, from its upgrade to its end: one future, in one slot of the pool.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::context::Context;
use crate::error::{CloseReason, Refusal};
use crate::frame::{self, Frame, FrameError, Kind};
use crate::node::Node;
use crate::outbox::Ended;
use crate::payload::ErrorCode;
use crate::router::Router;
use crate::stream::Stream;
use crate::subprotocol::{self, PayloadError, Subprotocol};
use crate::tally::UNKNOWN;
use crate::transport::{self, Duct};

/// Frames that one client may have handled before others get their turn.
const TURN: usize = 32;

/// Serves a client whose upgrade is done. `head` is what came with the upgrade's request.
pub(crate) fn run(
    stream: Stream,
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
    fn new(stream: Stream, head: Bytes, context: Context, router: Arc<Router>) -> Self {
        let outbox = context.connection.outbox.clone();
        let duct = Duct::new(stream, head, outbox, context.node.tally.traffic.clone());
        let limit = context.node.config.max_payload + frame::OVERHEAD;
        Self {
            last_heard: context.opened(),
            socket: transport::websocket(duct, limit),
            context,
            router,
            turn: 0,
        }
    }

    /// Until the conversation has ended, from whichever side.
    async fn serve(&mut self) {
        let mut timer = pin!(sleep_until(self.deadline().0));
        while let Event::Message(message) = poll_fn(|cx| self.poll_event(cx, timer.as_mut())).await
        {
            self.last_heard = Instant::now();
            if self.is_expired() {
                self.end(CloseReason::TokenExpired);
            } else if let Some(frame) = self.read(&message) {
                self.obey(frame).await;
            }
            if let Some(renewal) = self.context.renewal(self.last_heard) {
                meanwhile(&mut self.socket, Box::pin(renewal)).await;
            }
            // A later deadline is met when the timer rings; only an earlier one, which a hello may bring, moves it.
            let (deadline, _) = self.deadline();
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
        }
    }

    /// The frame in a message. Of what is none the client is told.
    fn read<'a>(&self, message: &'a Message) -> Option<Frame<'a>> {
        let text = self.context.subprotocol() == Subprotocol::Text;
        match message {
            Message::Binary(message) if !text => self.read_frame(message),
            Message::Text(message) if text => self.read_text(message),
            Message::Binary(_) | Message::Text(_) => {
                self.end(CloseReason::Unsupported);
                None
            }
            // The library answers pings and closes.
            _ => None,
        }
    }

    fn read_frame<'a>(&self, message: &'a [u8]) -> Option<Frame<'a>> {
        let error = match Frame::decode(message, self.context.node.config.max_payload) {
            Ok(frame) => return Some(frame),
            Err(error) => error,
        };
        self.count_unknown();
        let code = match error {
            FrameError::TooLarge { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::BadFrame,
        };
        self.distrust(code, &error);
        None
    }

    fn read_text<'a>(&self, message: &'a str) -> Option<Frame<'a>> {
        let payload = message.as_bytes();
        let (code, error) = match subprotocol::read_text(message) {
            Ok(kind) => return Some(Frame { kind, payload }),
            Err(error @ PayloadError::Kind(_)) => (ErrorCode::UnknownType, error),
            Err(error) => (ErrorCode::BadPayload, error),
        };
        self.count_unknown();
        self.context.refuse(&Refusal::new(code, error.to_string()));
        None
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
            // It may wait for a room.
            Ok(answer) => meanwhile(socket, answer).await,
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
                    None => self.context.connection.outbox.end_by_client(None),
                }
                continue;
            }
            let drained = self.socket.get_mut().poll_drain(cx).is_ready();
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
        if !self.context.is_authenticated() {
            let hello = self.context.opened() + config.hello_timeout;
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
        match transport::reason(error) {
            Some(CloseReason::TooLarge) => {
                let limit = self.context.node.config.max_payload;
                let error = format!("the payload is over the limit of {limit} bytes");
                self.distrust(ErrorCode::TooLarge, &error);
            }
            Some(reason) => self.end(reason),
            None => self.context.connection.outbox.abandon(),
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
        self.context.close().await;
        self.socket.get_mut().finish().await;
    }
}

/// Waits for something; what others have sent goes out in the meantime.
async fn meanwhile<T>(
    socket: &mut WebSocketStream<Duct>,
    mut something: Pin<Box<impl Future<Output = T> + ?Sized>>,
) -> T {
    poll_fn(|cx| {
        let outcome = something.as_mut().poll(cx);
        if outcome.is_pending() {
            // An error shows again in the next poll for an event.
            let _ = socket.get_mut().poll_drain(cx);
        }
        outcome
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use futures_util::SinkExt;
    use prometheus_client::metrics::counter::Counter;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::config::Config;
    use crate::frame::Kind;
    use crate::sessions::{Doing, Record, Sessions, Store};

    fn node() -> Node {
        Node::new(Config::default()).expect("valid settings")
    }

    /// The two ends of a connection.
    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("it has come");
        (client, Stream::Left(stream))
    }

    fn session(stream: Stream, node: Node) -> impl Future<Output = ()> + Send + 'static {
        run(
            stream,
            Bytes::new(),
            Subprotocol::Json,
            Arc::new(node),
            Arc::new(Router::new(false)),
        )
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
        fn open(&self, _: Record, _: usize) -> Doing<'_, bool> {
            Box::pin(ready(Ok(true)))
        }

        fn renew(&self, _: Record) -> Doing<'_, ()> {
            self.0.inc();
            Box::pin(ready(Ok(())))
        }

        fn close(&self, _: Record) -> Doing<'_, ()> {
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
    async fn what_is_heard_renews_the_session_but_not_all_of_it() {
        assert_eq!(renewals(Duration::ZERO).await, 4);
        assert_eq!(renewals(Duration::from_secs(300)).await, 0);
    }
}
