//! The duct: reads come from the socket, writes go to the outbox. So the WebSocket library's own frames (pongs, closes)
//! and those of the rooms form one line, and nothing is copied on the way from a room to the socket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::outbox::Outbox;

/// One client's socket, and the outbox that is the only way into it.
pub(crate) struct Duct {
    stream: TcpStream,
    /// What arrived together with the upgrade's request, to be read before the socket.
    head: Bytes,
    outbox: Arc<Outbox>,
    frames_out: Counter,
}

impl Duct {
    pub(crate) fn new(
        stream: TcpStream,
        head: Bytes,
        outbox: Arc<Outbox>,
        frames_out: Counter,
    ) -> Self {
        Self {
            stream,
            head,
            outbox,
            frames_out,
        }
    }

    /// Writes what the outbox holds; ready when it has ended and all is out, or the socket fails.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let write = |cx: &mut Context<'_>, bytes: &[u8]| {
            loop {
                ready!(self.stream.poll_write_ready(cx))?;
                match self.stream.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
        };
        self.outbox.poll_drain(cx, write, |frames| {
            self.frames_out.inc_by(frames as u64);
        })
    }

    /// The way out of an ended outbox: the rest leaves, then what still arrives is thrown away until the client hangs
    /// up too. To close at once would reset the connection, and the client would lose what it has not read yet.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_drain(cx)).await?;
        self.stream.shutdown().await?;
        poll_fn(|cx| {
            let mut waste = [0; 1024];
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Others first: the client may go on for as long as it likes.
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
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let len = self.head.len().min(buf.remaining());
        buf.put_slice(&self.head[..len]);
        self.head.advance(len);
        if self.head.is_empty() {
            self.head = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duct {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // An ended outbox takes nothing, and then there is nobody to miss it.
        self.outbox.push(Bytes::copy_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
