//! The echo: sends each message back to its client, without our protocol. A conformance suite thus
//! tests the transport of the chat: door, slot, transport, outbox and the library's settings.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;
use tokio_tungstenite::tungstenite::Message;

use crate::error::CloseReason;
use crate::node::Node;
use crate::outbox::{Ended, Limits, Outbox};
use crate::stream::Stream;
use crate::tally::UNKNOWN;
use crate::transport::{self, Duct, Socket};

/// The longest message, and the longest frame.
const MAX_MESSAGE: usize = 32 << 20;
/// At this much unsent data, the client is not read until it reads.
const ENOUGH_FRAMES: usize = 256;
const ENOUGH_BYTES: usize = 64 * 1024;
/// Just below that, one more read may add a pong and a message.
const LIMITS: Limits = Limits {
    frames: ENOUGH_FRAMES + 2,
    bytes: ENOUGH_BYTES + MAX_MESSAGE + 1024,
    patience: Duration::ZERO,
};
/// Messages that one client may have echoed before others get their turn.
const TURN: usize = 32;

/// Serves a client whose upgrade is done. `head` is what came with the upgrade's request.
pub(crate) async fn run(stream: Stream, head: Bytes, node: Arc<Node>) {
    let outbox = Arc::new(Outbox::new(LIMITS, Subprotocol::default()));
    let duct = Duct::new(stream, head, outbox.clone(), node.tally.traffic.clone());
    let mut echo = Echo {
        socket: Socket::new(duct, MAX_MESSAGE),
        outbox,
        turn: 0,
    };
    let serve = async {
        while let Some(message) = poll_fn(|cx| echo.poll_message(cx)).await {
            node.tally.frames_in.inc(UNKNOWN);
            echo.answer(&message);
        }
    };
    let drained = node.draining.run_until_cancelled(serve).await.is_none();
    if drained {
        echo.outbox.end(CloseReason::Restart);
    }
    if let Some(Ended::ByServer(reason)) = echo.outbox.ended() {
        node.tally.closed.inc(reason);
    }
    echo.socket.duct().finish().await;
}

struct Echo {
    socket: Socket,
    outbox: Arc<Outbox>,
    /// Messages taken since others had their turn.
    turn: usize,
}

impl Echo {
    fn answer(&self, message: &Message) {
        let answer = match message {
            Message::Text(text) => wire::text(text),
            Message::Binary(bytes) => wire::binary(bytes),
            // The library answers pings and closes.
            _ => return,
        };
        // The message fits, or the connection has ended.
        self.outbox.push(answer);
    }

    /// The next message, or nothing once the conversation is over.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if self.outbox.ended().is_some() {
                return Poll::Ready(None);
            }
            let held_back = self.outbox.holds(ENOUGH_FRAMES, ENOUGH_BYTES);
            if !held_back
                && self.turn < TURN
                && let Poll::Ready(message) = self.socket.poll_message(cx)
            {
                self.turn += 1;
                match message {
                    Some(Ok(message)) => return Poll::Ready(Some(message)),
                    Some(Err(error)) => match transport::reason(&error) {
                        Some(reason) => self.outbox.end(reason),
                        None => self.outbox.abandon(),
                    },
                    None => self.outbox.end_by_client(None),
                }
                continue;
            }
            if self.socket.duct().poll_drain(cx).is_ready() {
                return Poll::Ready(None);
            }
            if held_back && !self.outbox.holds(ENOUGH_FRAMES, ENOUGH_BYTES) {
                continue;
            }
            if mem::take(&mut self.turn) == TURN {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }
}
