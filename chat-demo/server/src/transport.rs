//! The transport of a connection: reads come from the socket, and writes go to the outbox. So the
//! frames of the WebSocket library (pongs, closes) and those of the rooms share one queue, and no
//! byte is copied between a room and the socket.

mod framing;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use chat_demo_client::wire;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use self::framing::Framing;
use crate::error::CloseReason;
use crate::outbox::Outbox;
use crate::stream::Stream;
use crate::tally::Traffic;

/// What a connection reads at a time, and so what an idle one holds; larger messages make it grow.
const READ_BUFFER: usize = 512;
/// Reads in a row before other tasks get their turn: the library reads fragments without yielding.
const READS: usize = 64;
/// Time for the last bytes to leave and the client to hang up.
const FINISH: Duration = Duration::from_secs(3);

/// The WebSocket at the duct of a client whose upgrade is done.
pub(crate) struct Socket(
    /// `None` only while it is replaced.
    Option<WebSocketStream<Duct>>,
);

const THERE: &str = "it is there but while it is made anew";

impl Socket {
    /// Takes messages of up to `limit` bytes.
    pub(crate) fn new(duct: Duct, limit: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        Self(Some(websocket(duct, config)))
    }

    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let stream = self.0.as_mut().expect(THERE);
        let message = stream.poll_next_unpin(cx);
        if message.is_ready() || !stream.get_mut().framing.has_passed_large() {
            return message;
        }
        // The library keeps the buffer that a large message has made of its own. Nothing is in it
        // now: all that was read is of messages that were taken, and the library's own frames leave
        // by the duct at once.
        let old = self.0.take().expect(THERE);
        let config = *old.get_config();
        let stream = self.0.insert(websocket(old.into_inner(), config));
        stream.poll_next_unpin(cx)
    }

    pub(crate) fn duct(&mut self) -> &mut Duct {
        self.0.as_mut().expect(THERE).get_mut()
    }
}

fn websocket(duct: Duct, config: WebSocketConfig) -> WebSocketStream<Duct> {
    WebSocketStream::from_raw_socket(duct, Role::Server, Some(config))
        .now_or_never()
        .expect("the handshake is done: nothing to wait for")
}

/// Returns why a client that made the library fail is closed; `None` if it has gone.
pub(crate) fn reason(error: &Error) -> Option<CloseReason> {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) => None,
        Error::Capacity(_) => Some(CloseReason::TooLarge),
        Error::Utf8(_) => Some(CloseReason::NotUtf8),
        _ => Some(CloseReason::BadFrame),
    }
}

/// One client's socket, and the outbox that is the only way into it.
pub(crate) struct Duct {
    stream: Stream,
    /// What arrived together with the upgrade's request, to be read before the socket.
    head: Bytes,
    /// Reads since others had their turn.
    reads: usize,
    framing: Framing,
    outbox: Arc<Outbox>,
    traffic: Traffic,
}

impl Duct {
    pub(crate) fn new(stream: Stream, head: Bytes, outbox: Arc<Outbox>, traffic: Traffic) -> Self {
        Self {
            stream,
            head,
            reads: 0,
            framing: Framing::default(),
            outbox,
            traffic,
        }
    }

    /// Writes what the outbox holds; ready when it has ended and all is out, or the socket fails.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            outbox,
            traffic,
            ..
        } = self;
        let mut stream = Pin::new(stream);
        let drained = outbox.poll_drain(cx, |cx, bytes| {
            let len = ready!(stream.as_mut().poll_write(cx, bytes))?;
            traffic.bytes_out.inc_by(len as u64);
            Poll::Ready(Ok(len))
        })?;
        // What TLS has taken is not out yet.
        ready!(stream.poll_flush(cx))?;
        drained.map(Ok)
    }

    /// Sends the rest of an ended outbox, to a client that reads in time.
    pub(crate) async fn finish(&mut self) {
        // Too slow, or gone: nothing is left to be said.
        let _ = timeout(FINISH, self.hang_up()).await;
    }

    /// The rest leaves, then what still arrives is thrown away until the client hangs up too. To
    /// close at once would reset the connection, and the client would lose what it has not read
    /// yet.
    async fn hang_up(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_drain(cx)).await?;
        self.stream.shutdown().await?;
        poll_fn(|cx| {
            let mut waste = [0; 1024];
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Yield: the client may send without end.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

impl AsyncRead for Duct {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = if self.head.is_empty() {
            if self.reads == READS {
                self.reads = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            self.reads = if read.is_ready() { self.reads + 1 } else { 0 };
            read
        } else {
            let len = self.head.len().min(buf.remaining());
            buf.put_slice(&self.head[..len]);
            self.head.advance(len);
            if self.head.is_empty() {
                self.head = Bytes::new();
            }
            Poll::Ready(Ok(()))
        };
        let bytes = &buf.filled()[before..];
        self.framing.advance(bytes);
        self.traffic.bytes_in.inc_by(bytes.len() as u64);
        read
    }
}

impl AsyncWrite for Duct {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // An ended outbox accepts nothing, and needs nothing.
        let frame = Bytes::copy_from_slice(bytes);
        if wire::is_close(&frame) {
            // The client's own, given back: nothing may follow it.
            self.outbox.end_by_client(Some(frame));
        } else {
            self.outbox.push(frame);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
