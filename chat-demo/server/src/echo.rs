//! The echo: sends each message back to its client, without our protocol. A conformance suite thus
//! tests the transport of the chat: door, slot, transport, outbox and the library's settings.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
/// The answer to one message, and the library's own frames.
const LIMITS: Limits = Limits {
    frames: 8,
    bytes: MAX_MESSAGE + 4096,
    patience: Duration::ZERO,
};

/// Serves a client whose upgrade is done. `head` is what came with the upgrade's request.
pub(crate) async fn run(stream: Stream, head: Bytes, node: Arc<Node>) {
    let outbox = Arc::new(Outbox::new(LIMITS, Subprotocol::default()));
    let duct = Duct::new(stream, head, outbox.clone(), node.tally.traffic.clone());
    let mut socket = Socket::new(duct, MAX_MESSAGE);
    let serve = async {
        while let Some(message) = poll_fn(|cx| poll_message(&mut socket, &outbox, cx)).await {
            node.tally.frames_in.inc(UNKNOWN);
            let answer = match message {
                Message::Text(text) => wire::text(&text),
                Message::Binary(bytes) => wire::binary(&bytes),
                // The library answers pings and closes.
                _ => continue,
            };
            // The answer fits, or the connection has ended.
            outbox.push(answer);
        }
    };
    let drained = node.draining.run_until_cancelled(serve).await.is_none();
    if drained {
        outbox.end(CloseReason::Restart);
    }
    if let Some(Ended::ByServer(reason)) = outbox.ended() {
        node.tally.closed.inc(reason);
    }
    socket.duct().finish().await;
}

/// Writes the answers to earlier messages, then returns the next message, or `None` at the end.
fn poll_message(
    socket: &mut Socket,
    outbox: &Outbox,
    cx: &mut Context<'_>,
) -> Poll<Option<Message>> {
    loop {
        if socket.duct().poll_drain(cx).is_ready() || outbox.ended().is_some() {
            return Poll::Ready(None);
        }
        // A client that does not read its answers is not read.
        if outbox.waiting().frames > 0 {
            return Poll::Pending;
        }
        match ready!(socket.poll_message(cx)) {
            Some(Ok(message)) => return Poll::Ready(Some(message)),
            Some(Err(error)) => match transport::reason(&error) {
                Some(reason) => outbox.end(reason),
                None => outbox.abandon(),
            },
            None => outbox.end_by_client(None),
        }
    }
}
