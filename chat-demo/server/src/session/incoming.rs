//! Input of a client, read also during a request.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use chat_demo_client::frame::{Frame, Kind};
use chat_demo_client::payload::Join;
use chat_demo_client::subprotocol::{self, Subprotocol};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Refusal;
use crate::node::Node;
use crate::outbox::{Ended, Outbox};
use crate::transport::{self, Socket};

/// Messages that one client may have handled before others get their turn.
const TURN: usize = 32;

/// The socket, and the message that was read from it too early.
pub(super) struct Incoming {
    socket: Socket,
    /// The context's own, which a handler has while it waits.
    connection: Arc<Connection>,
    node: Arc<Node>,
    /// When anything came last.
    pub(super) last_heard: Instant,
    /// Messages taken since others had their turn.
    turn: usize,
    /// Nothing is read until the client has read what it has.
    held_back: bool,
    /// Came while a frame was being handled. While there is one, nothing more is read: the client
    /// is held back.
    ahead: Option<Box<Result<Message, Error>>>,
    /// Whether heartbeats are answered during a request; not before the hello.
    pub(super) answers_heartbeats: bool,
}

pub(super) enum Waited<T> {
    Done(T),
    /// The time for a request is over.
    TooLong,
    /// The client's socket has ended, or the server has ended the connection.
    Gone,
}

impl Incoming {
    pub(super) fn new(socket: Socket, context: &Context) -> Self {
        Self {
            socket,
            connection: context.connection.clone(),
            node: context.node.clone(),
            last_heard: context.connection.opened,
            turn: 0,
            held_back: false,
            ahead: None,
            answers_heartbeats: false,
        }
    }

    /// The next message, or nothing at the end. Pending when it is the turn of others, too.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        if let Some(message) = self.ahead.take() {
            return Poll::Ready(Some(*message));
        }
        // A client that does not read its answers is not read.
        self.held_back = self.connection.outbox.is_congested();
        if self.turn == TURN || self.held_back {
            return Poll::Pending;
        }
        let message = self.socket.poll_message(cx);
        if message.is_ready() {
            self.turn += 1;
        }
        message
    }

    /// Writes what waits for the client; ready when nothing more will.
    pub(super) fn poll_drain(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let drained = self.socket.duct().poll_drain(cx);
        if self.held_back && !self.connection.outbox.is_congested() {
            // There is more to read, perhaps, and no other event says so.
            self.held_back = false;
            cx.waker().wake_by_ref();
        }
        drained
    }

    /// Lets others have their turn before more is read, if this client has had its own.
    pub(super) fn end_turn(&mut self, cx: &TaskContext<'_>) {
        if mem::take(&mut self.turn) == TURN {
            cx.waker().wake_by_ref();
        }
    }

    /// Waits for what a client has asked for, but no longer than a request may take, nor longer
    /// than the socket lasts. Meanwhile frames leave, heartbeats are answered, and one more message
    /// is read.
    pub(super) async fn until<T>(
        &mut self,
        mut request: Pin<Box<impl Future<Output = T> + ?Sized>>,
    ) -> Waited<T> {
        let mut limit = pin!(sleep(self.node.config.request_timeout));
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = request.as_mut().poll(cx) {
                return Poll::Ready(Waited::Done(outcome));
            }
            if limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Waited::TooLong);
            }
            if self.look_ahead(cx) || matches!(self.poll_drain(cx), Poll::Ready(Err(_))) {
                self.connection.outbox.abandon();
                return Poll::Ready(Waited::Gone);
            }
            // Nothing that comes of it would reach the client any more.
            if let Some(Ended::ByServer(_)) = self.connection.outbox.ended() {
                return Poll::Ready(Waited::Gone);
            }
            self.end_turn(cx);
            Poll::Pending
        })
        .await
    }

    /// Reads until there is a message that has to wait, or nothing. Says whether the socket has
    /// ended.
    fn look_ahead(&mut self, cx: &mut TaskContext<'_>) -> bool {
        while self.ahead.is_none() {
            match self.poll_message(cx) {
                Poll::Ready(Some(Ok(message))) if self.is_heartbeat(&message) => {
                    let tally = &self.node.tally;
                    tally.frames_in.inc(Kind::HEARTBEAT);
                    self.last_heard = Instant::now();
                    self.connection.send_heartbeat(tally);
                }
                Poll::Ready(Some(Err(error))) if transport::reason(&error).is_none() => {
                    return true;
                }
                Poll::Ready(Some(message)) => self.ahead = Some(Box::new(message)),
                // The client said goodbye, and gets the answer to what it asked before.
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        false
    }

    /// Returns whether a message is a heartbeat, which is answered at once.
    fn is_heartbeat(&self, message: &Message) -> bool {
        let text = self.connection.outbox.subprotocol() == Subprotocol::Text;
        let limit = self.node.config.max_payload;
        self.answers_heartbeats
            && match message {
                Message::Binary(message) if !text => {
                    Frame::decode(message, limit).is_ok_and(|frame| frame.kind == Kind::HEARTBEAT)
                }
                Message::Text(message) if text => {
                    subprotocol::read_text(message).is_ok_and(|kind| kind == Kind::HEARTBEAT)
                }
                _ => false,
            }
    }

    /// Sends the error of a refused frame, and closes the connection if required.
    pub(super) fn conclude(&self, outcome: Result<(), Refusal>, frame: Frame<'_>) {
        let Err(refusal) = outcome else {
            return;
        };
        let outbox = &self.connection.outbox;
        let Frame { kind, payload } = frame;
        let mut refusal = refusal.or_id(|| outbox.subprotocol().read_id(kind, payload));
        if kind == Kind::JOIN {
            let join = outbox.subprotocol().read::<Join>(payload);
            refusal = refusal.with_room(join.ok().map(|join| join.room));
        }
        self.connection.refuse(&refusal, &self.node.tally);
        if let Some(reason) = refusal.closes {
            outbox.end(reason);
        }
    }

    pub(super) fn outbox(&self) -> Arc<Outbox> {
        self.connection.outbox.clone()
    }

    pub(super) async fn finish(&mut self) {
        self.socket.duct().finish().await;
    }
}
