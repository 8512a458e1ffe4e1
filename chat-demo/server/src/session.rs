//! One WebSocket connection, from its upgrade to its end: one future, in one slot of the pool.

mod incoming;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use chat_demo_client::frame::{self, Frame, FrameError, Kind};
use chat_demo_client::payload::ErrorCode;
use chat_demo_client::subprotocol::{self, PayloadError, Subprotocol};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use self::incoming::{Incoming, Waited};
use crate::context::Context;
use crate::error::{CloseReason, Refusal};
use crate::handlers::handle;
use crate::node::Node;
use crate::outbox::Ended;
use crate::stream::Stream;
use crate::tally::UNKNOWN;
use crate::transport::{self, Duct, Socket};

/// Serves a client whose upgrade is done. `head` is what came with the upgrade's request.
pub(crate) fn run(
    stream: Stream,
    head: Bytes,
    subprotocol: Subprotocol,
    node: Arc<Node>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut session = Session::new(stream, head, Context::new(node, subprotocol));
    // A block, because a function would hold its argument twice.
    async move {
        session.serve().await;
        // Boxed: this is no weight to carry until the end.
        Box::pin(session.close()).await;
    }
}

struct Session {
    incoming: Incoming,
    context: Context,
}

enum Event {
    Message(Message),
    /// The connection has ended in both directions.
    Over,
}

impl Session {
    fn new(stream: Stream, head: Bytes, context: Context) -> Self {
        let outbox = context.connection.outbox.clone();
        let duct = Duct::new(stream, head, outbox, context.node.tally.traffic.clone());
        let limit = context.node.config.max_payload + frame::OVERHEAD;
        let socket = Socket::new(duct, limit);
        Self {
            incoming: Incoming::new(socket, &context),
            context,
        }
    }

    /// Until the conversation has ended, from whichever side.
    async fn serve(&mut self) {
        let mut timer = pin!(sleep_until(self.deadline().0));
        while let Event::Message(message) = poll_fn(|cx| self.poll_event(cx, timer.as_mut())).await
        {
            self.incoming.last_heard = Instant::now();
            if self.is_expired() {
                self.end(CloseReason::TokenExpired);
            } else if let Some(frame) = self.read(&message)
                && let Some(rest) = self.handle_frame(frame)
            {
                rest.await;
            }
            if let Some(rest) = self.renew() {
                rest.await;
            }
            // A later deadline is met when the timer rings; only an earlier one, which a hello may
            // bring, moves it.
            let (deadline, _) = self.deadline();
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
        }
    }

    /// Decodes the frame in a message. On a bad frame, the client gets an error.
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
        self.reject_and_close(code, &error);
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
        let id = self.context.subprotocol().read_id(Kind::PUBLISH, payload);
        self.context
            .refuse(&Refusal::new(code, error.to_string()).with_id(id));
        None
    }

    /// Handles a frame. What has to wait for that is returned: few frames do, and no idle
    /// connection carries the weight.
    fn handle_frame<'a>(&'a mut self, frame: Frame<'a>) -> Option<BoxFuture<'a, ()>> {
        self.incoming.answers_heartbeats = self.context.is_authenticated();
        let Self { incoming, context } = self;
        context.node.tally.frames_in.inc(frame.kind);
        let outcome = match handle(context, frame) {
            Ok(None) => return None,
            Ok(Some(mut answer)) => {
                let Some(outcome) = answer.as_mut().now_or_never() else {
                    let outbox = incoming.outbox();
                    outbox.set_busy(true);
                    return Some(Box::pin(async move {
                        match incoming.until(answer).await {
                            Waited::Done(outcome) => incoming.conclude(outcome, frame),
                            Waited::TooLong => incoming.conclude(Err(Refusal::timed_out()), frame),
                            Waited::Gone => {}
                        }
                        outbox.set_busy(false);
                    }));
                };
                outcome
            }
            Err(refusal) => Err(refusal),
        };
        incoming.conclude(outcome, frame);
        None
    }

    /// Renews the session in its store when that is due.
    fn renew(&mut self) -> Option<BoxFuture<'_, ()>> {
        if self.context.connection.outbox.ended().is_some() {
            return None;
        }
        self.incoming.answers_heartbeats = self.context.is_authenticated();
        let Self { incoming, context } = self;
        let renewal = Box::pin(context.renewal(incoming.last_heard)?);
        Some(Box::pin(async move {
            // A renewal that takes too long is tried again when the next one is due.
            incoming.until(renewal).await;
        }))
    }

    fn count_unknown(&self) {
        self.context.node.tally.frames_in.inc(UNKNOWN);
    }

    /// The next message. Reads before it writes: the replies to all that has arrived leave
    /// together.
    fn poll_event(&mut self, cx: &mut TaskContext<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Event> {
        loop {
            if self.context.connection.outbox.ended().is_some() {
                return Poll::Ready(Event::Over);
            }
            if let Poll::Ready(message) = self.incoming.poll_message(cx) {
                match message {
                    Some(Ok(message)) => return Poll::Ready(Event::Message(message)),
                    Some(Err(error)) => self.fail(&error),
                    None => self.context.connection.outbox.end_by_client(None),
                }
                continue;
            }
            let drained = self.incoming.poll_drain(cx).is_ready();
            // Check again: an end since the first check had no waker to wake.
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
            self.incoming.end_turn(cx);
            return Poll::Pending;
        }
    }

    /// Returns the next timeout of the connection, and what it means.
    fn deadline(&self) -> (Instant, CloseReason) {
        let config = &self.context.node.config;
        if !self.context.is_authenticated() {
            let hello = self.context.connection.opened + config.hello_timeout;
            return (hello, CloseReason::HelloTimeout);
        }
        let idle = self.incoming.last_heard + config.idle_timeout;
        match self.context.expires {
            Some(expires) if expires < idle => (expires, CloseReason::TokenExpired),
            _ => (idle, CloseReason::Idle),
        }
    }

    fn is_expired(&self) -> bool {
        let expires = self.context.expires;
        expires.is_some_and(|expires| expires <= self.incoming.last_heard)
    }

    /// The client does not speak WebSocket as it should, or is gone.
    fn fail(&self, error: &Error) {
        match transport::reason(error) {
            Some(CloseReason::TooLarge) => {
                let limit = self.context.node.config.max_payload;
                let error = format!("the payload is over the limit of {limit} bytes");
                self.reject_and_close(ErrorCode::TooLarge, &error);
            }
            Some(reason) => self.end(reason),
            None => self.context.connection.outbox.abandon(),
        }
    }

    /// Reports unreadable input, and closes the connection.
    fn reject_and_close(&self, code: ErrorCode, error: &dyn Display) {
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

    /// Lets out what is owed, leaves the rooms, and lets the last bytes out.
    async fn close(&mut self) {
        // What was accepted is acknowledged first, unless its store does not answer.
        let outbox = self.context.connection.outbox.clone();
        let settled = poll_fn(|cx| {
            if outbox.is_sealed() || self.incoming.poll_drain(cx).is_ready() {
                return Poll::Ready(());
            }
            Poll::Pending
        });
        let _ = timeout(self.context.node.config.drain_timeout, settled).await;
        outbox.seal();
        if let Some(Ended::ByServer(reason)) = outbox.ended() {
            let tally = &self.context.node.tally;
            tally.closed.inc(reason);
            if reason.says_bye() {
                tally.frames_out.inc(Kind::BYE);
            }
        }
        // A room or a store that does not answer keeps no slot: what is left undone is dropped with
        // the context.
        let time = self.context.node.config.request_timeout;
        let _ = timeout(time, self.context.close()).await;
        self.incoming.finish().await;
    }
}
