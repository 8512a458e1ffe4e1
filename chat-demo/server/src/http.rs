//! HTTP: every socket begins with it, and may upgrade to a WebSocket.

use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anthill::Slot;
use bytes::Bytes;
use chat_demo_client::subprotocol::Subprotocol;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Resource};
use crate::door::{State, Visitor};
use crate::error::Refused;
use crate::events::{self, Reader};
use crate::journal::Journal;
use crate::node::Node;
use crate::origin;
use crate::page;
use crate::reply::{self, JSON, Reply};
use crate::stream::{self, Stream};
use crate::upgrade::{self, Granted};

/// The most that a request's head may take.
const MAX_HEAD: usize = 16 * 1024;
/// What a request under way has left when the server drains.
const LAST_REQUEST: Duration = Duration::from_secs(1);
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(crate) enum Connected {
    WebSocket(Upgraded),
    Events(Stream, Box<Reader>),
}

pub(crate) struct Upgraded {
    pub(crate) stream: Stream,
    /// What the client sent right behind its request.
    pub(crate) head: Bytes,
    pub(crate) subprotocol: Subprotocol,
    /// The connection's place in the pool.
    pub(crate) slot: Slot<'static>,
}

/// Answers requests until the socket is closed or upgraded, has to make room, or its time is over;
/// one request unless it `stays`.
pub(crate) async fn serve(
    socket: TcpStream,
    node: &Arc<Node>,
    visitor: &Visitor,
    stays: bool,
) -> Option<Connected> {
    let time = node.config.handshake_timeout;
    let deadline = Instant::now() + time;
    let stream = match &node.tls {
        None => Stream::Left(socket),
        // Boxed, because only handshakes need the space.
        Some(tls) => tokio::select! {
            stream = Box::pin(secure(socket, tls, node, deadline)) => stream?,
            () = visitor.cut() => {
                node.tally.refused.inc(Refused::Crowded);
                return None;
            }
        },
    };
    let granted = Mutex::new(None);
    let reader = Mutex::new(None);
    let reads = Notify::new();
    let asked = AtomicBool::new(false);
    let service = service_fn(async |request| {
        asked.store(true, Ordering::Relaxed);
        visitor.has_asked();
        visitor.set(State::Busy);
        let reply = match route(request, node, deadline, &granted).await {
            Answer::Reply(reply) => reply,
            Answer::Events(events) => {
                *reader.lock() = Some(events);
                reads.notify_one();
                // The answer is written beside HTTP.
                pending().await
            }
        };
        visitor.set(State::Idle);
        Ok::<_, Infallible>(reply)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(time)
        .max_buf_size(MAX_HEAD)
        .keep_alive(stays)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A request under way still has its own time.
    let rest = time.max(node.config.request_timeout);
    let time_is_up = async {
        tokio::select! {
            () = sleep_until(deadline) => deadline + rest,
            () = node.draining.cancelled() => Instant::now() + LAST_REQUEST,
        }
    };
    let ended = tokio::select! {
        // Whatever went wrong, it is the client's loss alone.
        _ = &mut connection => true,
        () = visitor.cut() => {
            if !asked.load(Ordering::Relaxed) {
                node.tally.refused.inc(Refused::Crowded);
            }
            return None;
        }
        () = reads.notified() => true,
        cut = time_is_up => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                ended = timeout_at(cut, &mut connection) => matches!(ended, Ok(Ok(()))),
                () = reads.notified() => true,
            }
        }
    };
    if let Some(reader) = reader.lock().take() {
        let stream = connection.into_parts()?.io.into_inner();
        return Some(Connected::Events(stream, reader));
    }
    // Count only sockets without any request: idle sockets of browsers are not failed handshakes.
    if !asked.load(Ordering::Relaxed) && Instant::now() >= deadline {
        node.tally.refused.inc(Refused::Timeout);
    }
    if !ended {
        return None;
    }

    let granted: Granted = granted.lock().take()?;
    let upgraded = granted.upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Stream>>().ok()?;
    // Copy the body, or it would keep the buffer of the request.
    let head = Bytes::copy_from_slice(&parts.read_buf);
    Some(Connected::WebSocket(Upgraded {
        stream: parts.io.into_inner(),
        head,
        subprotocol: granted.subprotocol,
        slot: granted.slot,
    }))
}

/// Speaks TLS first, in the same time.
async fn secure(
    socket: TcpStream,
    tls: &TlsAcceptor,
    node: &Node,
    deadline: Instant,
) -> Option<Stream> {
    let shaken = timeout_at(deadline, stream::secure(socket, tls));
    let refused = match node.draining.run_until_cancelled(shaken).await {
        Some(Ok(Ok(stream))) => return Some(stream),
        Some(Ok(Err(error))) if error.kind() == ErrorKind::InvalidData => Refused::Tls,
        // A client that disconnects was not refused.
        Some(Ok(Err(_))) => return None,
        Some(Err(_)) => Refused::Timeout,
        None => Refused::Draining,
    };
    node.tally.refused.inc(refused);
    None
}

enum Answer {
    Reply(Reply),
    /// Serves events until the socket closes.
    Events(Box<Reader>),
}

async fn route(
    request: Request<Incoming>,
    node: &Arc<Node>,
    deadline: Instant,
    granted: &Mutex<Option<Granted>>,
) -> Answer {
    let (method, path) = (request.method(), request.uri().path());
    if let Some(room) = events::room(path) {
        if method != Method::GET {
            return Answer::Reply(method_not_allowed("GET"));
        }
        let reader = events::answer(&request, room, node, deadline).await;
        return reader.map_or_else(Answer::Reply, |reader| Answer::Events(Box::new(reader)));
    }
    Answer::Reply(match Resource::of(path) {
        Some(resource) if resource.methods().split(", ").all(|it| it != method) => {
            method_not_allowed(resource.methods())
        }
        Some(resource) => api::answer(request, resource, node).await,
        None => reply(request, node, deadline, granted).await,
    })
}

async fn reply(
    request: Request<Incoming>,
    node: &Node,
    deadline: Instant,
    granted: &Mutex<Option<Granted>>,
) -> Reply {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let upgrades = request.uri().path() == "/ws" && request.method() == Method::GET;
    match origin::host(&request) {
        // An upgrade says for itself what it is refused for, and counts it.
        Err(refused) if !upgrades => return refused.reply(node),
        Ok(Some(host)) if tells_figures(&request) && !origin::is_own(&host, &node.config) => {
            return Refused::Origin.reply(node);
        }
        _ => {}
    }
    match request.uri().path() {
        "/ws" if upgrades => match upgrade::answer(request, node, deadline).await {
            Ok((reply, grant)) => {
                *granted.lock() = Some(grant);
                reply
            }
            Err(refused) => refused.turn_away(node),
        },
        "/ws" => method_not_allowed("GET"),
        "/chat.proto" | "/healthz" | "/readyz" | "/metrics" | "/api/stats" if !reads => {
            method_not_allowed("GET, HEAD")
        }
        "/chat.proto" => reply::text(StatusCode::OK, chat_demo_client::PROTO),
        "/healthz" => reply::text(StatusCode::OK, "ok\n"),
        "/readyz" => match unready(node) {
            Some(why) => reply::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            None => reply::text(StatusCode::OK, "ready\n"),
        },
        "/metrics" => reply::new(StatusCode::OK, OPEN_METRICS, node.metrics.prometheus()),
        "/api/stats" => {
            let stats = node.metrics.snapshot(&node.config.node);
            let json = serde_json::to_vec(&stats).expect("numbers by names are JSON");
            reply::new(StatusCode::OK, JSON, json)
        }
        path => match page::file(path) {
            Some(_) if !reads => method_not_allowed("GET, HEAD"),
            Some(file) => file,
            None => reply::text(StatusCode::NOT_FOUND, "not found\n"),
        },
    }
}

/// Returns why the server refuses new connections, in the words of its 503 answers.
fn unready(node: &Node) -> Option<String> {
    if node.draining.is_cancelled() {
        return Some("draining".to_owned());
    }
    if node.pools.connections.stats().free == 0 {
        return Some(Refused::Full.to_string());
    }
    if node.hub.journal().is_some_and(Journal::is_failing) {
        return Some("messages cannot be kept".to_owned());
    }
    let trouble = node.redis.as_ref().and_then(|redis| redis.trouble());
    node.refuses()
        .or(trouble.map(|trouble| trouble.to_string()))
}

/// Whether the answer is nothing for pages of others.
fn tells_figures(request: &Request<Incoming>) -> bool {
    matches!(request.uri().path(), "/metrics" | "/api/stats")
}

fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = reply::text(StatusCode::METHOD_NOT_ALLOWED, format!("use {allowed}\n"));
    let headers = reply.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}
