//! A room as a stream of events (SSE) that a program reads with one HTTP request. The reader is a
//! connection like any WebSocket: it has a slot in the same pool, a session, a membership in the
//! room, and an outbox. Only its socket differs.

use std::borrow::Cow;
use std::fmt::Write;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use anthill::Slot;
use bytes::{Buf, BufMut, BytesMut};
use chat_demo_client::payload::{ErrorCode, Hello};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;
use futures_util::future::BoxFuture;
use hyper::Request;
use hyper::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use crate::api::{bearer, name, refused};
use crate::context::Context;
use crate::epoch::{Epoch, Position};
use crate::error::{CloseReason, Refusal, Refused};
use crate::handlers::identity;
use crate::node::Node;
use crate::origin::{self, only};
use crate::outbox::{Ended, Outbox};
use crate::rate::Cost;
use crate::reply::Reply;
use crate::stream::Stream;
use crate::tally::Traffic;
use crate::upgrade::find_place;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Time for the last events to leave.
const FINISH: Duration = Duration::from_secs(3);
/// The answer ends with its socket.
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\
    x-content-type-options: nosniff\r\nconnection: close\r\n\r\n";

pub(crate) struct Reader {
    pub(crate) context: Context,
    /// The connection's place in the pool.
    pub(crate) slot: Slot<'static>,
}

/// Returns the room whose events are at a path, if it has any.
pub(crate) fn room(path: &str) -> Option<String> {
    let room = path.strip_prefix("/api/rooms/")?.strip_suffix("/events")?;
    name(room).filter(|_| !room.contains('/'))
}

/// Lets a reader into a room, or says why not.
pub(crate) async fn answer<B>(
    request: &Request<B>,
    room: String,
    node: &Arc<Node>,
    deadline: Instant,
) -> Result<Reader, Reply> {
    let refuse = |refusal: Refusal| refused(&refusal);
    let turn_away = |refused: Refused| refused.turn_away(node);
    let headers = request.headers();
    // A browser sends no Origin to the name that a page has, which may be rebound.
    origin::own(request, &node.config)
        .and_then(|host| origin::check(headers, &host, &node.config))
        .map_err(turn_away)?;
    let query = request.uri().query().unwrap_or_default();
    if query.split('&').any(|it| it.starts_with("token=")) {
        let message = "addresses end up in logs: send the token as Authorization: Bearer TOKEN";
        return Err(refuse(Refusal::new(ErrorCode::NotAuthenticated, message)));
    }
    let token = bearer(headers).map_err(refuse)?.map(str::to_owned);
    let identity = identity(Hello { name: None, token }, node).map_err(refuse)?;
    identity.rooms.check(&room).map_err(refuse)?;
    let slot = find_place(node, deadline).await.map_err(turn_away)?;
    let mut context = Context::new(node.clone(), Subprotocol::Text);
    let join = async {
        context.identify(identity).await?;
        let seen = last_event(headers);
        let missed = seen.map_or(0, |_| context.connection.outbox.page().0);
        context.pace(Cost::of_answer(missed)).await;
        let connection = context.connection.clone();
        context.enter(node.hub.join(&room, connection, seen).await?);
        context.connection.welcome();
        Ok(())
    };
    let joined = timeout(node.config.request_timeout, join).await;
    joined
        .map_err(|_| Refusal::timed_out())
        .flatten()
        .map_err(refuse)?;
    Ok(Reader { context, slot })
}

/// The last event that a reader has seen: an epoch and a number.
fn last_event(headers: &HeaderMap) -> Option<Position> {
    let id = only(headers, &LAST_EVENT_ID).ok()??.to_str().ok()?;
    let (epoch, seq) = id.split_once(':')?;
    Some(Position {
        epoch: Epoch::parse(epoch)?,
        seq: seq.parse().ok()?,
    })
}

/// Writes what happens in the room, until the client leaves or the server ends the connection.
pub(crate) async fn run(stream: Stream, mut context: Context) {
    let outbox = context.connection.outbox.clone();
    let mut feed = Feed {
        stream,
        outbox: outbox.clone(),
        traffic: context.node.tally.traffic.clone(),
        out: HEAD.into(),
        epoch: String::new(),
    };
    // Half, because proxies cut what is silent for as long.
    let heartbeat = context.node.config.heartbeat / 2;
    let request_timeout = context.node.config.request_timeout;
    let mut renewal: Option<BoxFuture<'static, _>> = None;
    loop {
        let now = Instant::now();
        let expires = context.expires;
        if expires.is_some_and(|expires| expires <= now) {
            outbox.end(CloseReason::TokenExpired);
        }
        let beat = now + heartbeat;
        let until = expires.filter(|expires| *expires > now);
        let until = until.map_or(beat, |expires| expires.min(beat));
        let written = poll_fn(|cx| {
            // Write during a renewal as well: a stall of the store must not evict the reader.
            if let Some(begun) = &mut renewal
                && begun.as_mut().poll(cx).is_ready()
            {
                renewal = None;
            }
            match feed.poll_write(cx) {
                // A client that was too slow is not waited for.
                Poll::Pending if outbox.ended().is_some() => Poll::Ready(Ok(())),
                written => written,
            }
        });
        match timeout_at(until, written).await {
            Ok(Ok(())) => break,
            Ok(Err(_)) => {
                outbox.abandon();
                break;
            }
            Err(_) => {
                feed.beat();
                if renewal.is_none()
                    && let Some(due) = context.renewal(now)
                {
                    renewal = Some(Box::pin(timeout(request_timeout, due)));
                }
            }
        }
    }
    // A renewal after the close would restore the session.
    drop(renewal);
    if let Some(Ended::ByServer(reason)) = outbox.ended() {
        context.node.tally.closed.inc(reason);
    }
    let _ = timeout(request_timeout, context.close()).await;
    let finish = async {
        poll_fn(|cx| feed.poll_write(cx)).await?;
        feed.stream.shutdown().await
    };
    let _ = timeout(FINISH, finish).await;
}

struct Feed {
    stream: Stream,
    outbox: Arc<Outbox>,
    traffic: Traffic,
    out: BytesMut,
    /// The epoch of the room's numbers.
    epoch: String,
}

impl Feed {
    /// Ready when the outbox has ended and all of it is out, or when the client is gone.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.poll_gone(cx)?;
        loop {
            let Self {
                stream,
                outbox,
                traffic,
                out,
                epoch,
            } = self;
            // Write one batch at a time: while the socket is full, the rest waits in the outbox,
            // where it is counted. Poll the outbox then as well, or its end wakes no task.
            let drained = outbox.poll_drain(cx, |_, bytes| {
                if !out.is_empty() {
                    return Poll::Pending;
                }
                wire::texts(bytes).for_each(|text| write_event(text, epoch, out));
                Poll::Ready(Ok(bytes.len()))
            })?;
            let stream = Pin::new(stream);
            if out.is_empty() {
                ready!(stream.poll_flush(cx))?;
                return drained.map(Ok);
            }
            let len = ready!(stream.poll_write(cx, out))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            traffic.bytes_out.inc_by(len as u64);
            out.advance(len);
        }
    }

    /// Discards input of the client; fails when the client has closed the connection.
    fn poll_gone(&mut self, cx: &mut TaskContext<'_>) -> io::Result<()> {
        let mut waste = [0; 256];
        let mut waste = ReadBuf::new(&mut waste);
        if Pin::new(&mut self.stream)
            .poll_read(cx, &mut waste)?
            .is_pending()
        {
            return Ok(());
        }
        self.traffic.bytes_in.inc_by(waste.filled().len() as u64);
        if waste.filled().is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Yield: the client may send without end.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Adds a comment, so that neither the client nor a proxy takes the stream for dead.
    fn beat(&mut self) {
        if self.out.is_empty() {
            self.out.put_slice(b":\n\n");
        }
    }
}

/// Writes a frame as an event. Its id is the position from which a reader resumes.
fn write_event(text: &[u8], epoch: &mut String, out: &mut BytesMut) {
    #[derive(Deserialize)]
    struct Frame<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        seq: Option<u64>,
        epoch: Option<String>,
        #[serde(default)]
        recovered: bool,
    }
    let Ok(frame) = serde_json::from_slice::<Frame<'_>>(text) else {
        return;
    };
    if let Some(new) = frame.epoch {
        *epoch = new;
    }
    // What was missed follows, so it has not been seen yet.
    if let Some(seq) = frame.seq.filter(|_| !frame.recovered) {
        writeln!(out, "id: {epoch}:{seq}").expect("the buffer grows");
    }
    out.put_slice(b"event: ");
    out.put_slice(frame.kind.as_bytes());
    out.put_slice(b"\ndata: ");
    out.put_slice(text);
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests;
