//! The HTTP API, for admins with a token and without a connection. Requests run in a pool of their
//! own.
//!
//! | request | |
//! |---|---|
//! | `POST /api/rooms/{room}/messages` | publishes a text |
//! | `GET /api/rooms/{room}/messages?text=` | searches in the history |
//! | `GET /api/connections` | lists the connections of this server |
//! | `DELETE /api/users/{user}` | disconnects a user from this server |

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use anthill::JoinError;
use bytes::Bytes;
use chat_demo_client::payload::{self, Ack, ErrorCode, Payload, Publish, Search};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::connection::{Connection, Identity};
use crate::error::Refusal;
use crate::node::Node;
use crate::origin::only;
use crate::outbox::Outbox;
use crate::rate::Cost;
use crate::reply::{self, JSON, Reply};
use crate::rights::{Rooms, check_name};
use crate::token::Key;

/// When a client that was refused for the moment should ask again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");
/// Bytes of a request around its text.
const AROUND: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The texts that are published in a room, or searched there.
    Messages(String),
    Connections,
    User(String),
}

impl Resource {
    /// Returns the resource of a path, if it has one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let segments: Vec<_> = path.strip_prefix("/api/")?.split('/').collect();
        match segments[..] {
            ["rooms", room, "messages"] => name(room).map(Self::Messages),
            ["connections"] => Some(Self::Connections),
            ["users", user] => name(user).map(Self::User),
            _ => None,
        }
    }

    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Messages(_) => "GET, POST",
            Self::Connections => "GET",
            Self::User(_) => "DELETE",
        }
    }
}

/// Returns the name that a segment of a path stands for, if it is UTF-8.
pub(crate) fn name(segment: &str) -> Option<String> {
    let name = percent_decode_str(segment).decode_utf8();
    name.ok().map(Cow::into_owned)
}

/// Answers a request about a resource, made with one of its methods.
pub(crate) async fn answer(
    request: Request<Incoming>,
    resource: Resource,
    node: &Arc<Node>,
) -> Reply {
    let Some(key) = &node.tokens else {
        let words = "the API is off: start the server with --token-secret-file\n";
        return reply::text(StatusCode::NOT_FOUND, words);
    };
    match handle_request(request, resource, node, key).await {
        Ok(value) => reply::new(StatusCode::OK, JSON, value.to_string()),
        Err(refusal) => refused(&refusal),
    }
}

async fn handle_request(
    request: Request<Incoming>,
    resource: Resource,
    node: &Arc<Node>,
    key: &Key,
) -> Result<Value, Refusal> {
    let admin = admin(request.headers(), key)?;
    let own = node.clone();
    match resource {
        Resource::Messages(room) => {
            admin.rooms.check(&room)?;
            if request.method() == Method::GET {
                let search = parse(request.uri().query().unwrap_or_default(), room)?;
                return run(node, search_as(admin, search, own)).await?;
            }
            let publish = read(request, room, node).await?;
            run(node, publish_as(admin, publish, own)).await?
        }
        Resource::Connections => run(node, list(own, admin.rooms)).await?,
        Resource::User(user) => {
            // Connections have an empty name before their hello.
            check_name(&user)?;
            let disconnect = async move { json!({ "disconnected": own.hub.disconnect(&user) }) };
            run(node, disconnect).await
        }
    }
}

/// Runs a request in the pool of the API, unless that is full.
async fn run<T: Send + 'static>(
    node: &Node,
    request: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refusal> {
    let slot = node.pools.api.try_slot()?;
    let task = slot.spawn_with_handle(request).cancel_on_drop();
    let failed = |error: JoinError| Refusal::new(ErrorCode::Overloaded, error.to_string());
    task.await.map_err(failed)
}

/// The admin whom a request's token names.
fn admin(headers: &HeaderMap, key: &Key) -> Result<Identity, Refusal> {
    let token = bearer(headers)?.ok_or_else(|| {
        let message = "a token is needed here: send Authorization: Bearer TOKEN";
        Refusal::new(ErrorCode::NotAuthenticated, message)
    })?;
    let identity = key.verify(token)?;
    if identity.admin {
        return Ok(identity);
    }
    let message = "the API is for admins: the token has no admin: true";
    Err(Refusal::new(ErrorCode::Forbidden, message))
}

/// The token that a request brings, if it brings one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let message = "Authorization is not Bearer TOKEN";
    let wrong = || Refusal::new(ErrorCode::NotAuthenticated, message);
    let Some(value) = only(headers, &AUTHORIZATION).map_err(|_| wrong())? else {
        return Ok(None);
    };
    let value = value.to_str().ok().and_then(|it| it.split_once(' '));
    let (scheme, token) = value.ok_or_else(wrong)?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then_some(Some(token.trim())).ok_or_else(wrong)
}

/// Reads the text to publish.
async fn read(request: Request<Incoming>, room: String, node: &Node) -> Result<Publish, Refusal> {
    #[derive(Deserialize)]
    struct Body {
        text: String,
        key: Option<String>,
    }
    let bad = |words: String| Refusal::new(ErrorCode::BadPayload, words);
    let limit = node.config.max_payload + AROUND;
    let body = Limited::new(request.into_body(), limit).collect().await;
    let body = body.map_err(|error| bad(error.to_string()))?.to_bytes();
    let body: Body = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let publish = Publish {
        room,
        text: body.text,
        key: body.key,
        // Asks for an ack.
        id: Some(String::new()),
    };
    publish.check().map_err(|words| bad(words.to_owned()))?;
    node.check_length([&publish.text])?;
    Ok(publish)
}

/// Reads what to search for.
fn parse(query: &str, room: String) -> Result<Search, Refusal> {
    let bad = |words| Refusal::new(ErrorCode::BadPayload, words);
    let number = || bad("before and limit are numbers");
    let mut search = Search {
        room,
        ..Search::default()
    };
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8();
        let value = value.map_err(|_| bad("the query is not UTF-8"))?;
        match name {
            "text" => search.text = value.into_owned(),
            "before" => search.before = Some(value.parse().map_err(|_| number())?),
            "limit" => search.limit = Some(value.parse().map_err(|_| number())?),
            _ => {}
        }
    }
    search.check().map_err(bad)?;
    Ok(search)
}

async fn search_as(admin: Identity, search: Search, node: Arc<Node>) -> Result<Value, Refusal> {
    let (connection, user) = connection(admin, &node);
    let (most, _) = connection.outbox.page();
    node.rates
        .charge(&user, &node.rates.connection(), Cost::of_answer(most))?;
    let time = node.config.request_timeout;
    let deadline = Instant::now() + time;
    let answered = async {
        let searching = node.hub.search(connection.clone(), search, deadline);
        // Dropped with the request, which cancels it.
        let _searching = searching.await?;
        first_text(&connection.outbox).await
    };
    let Search { messages, .. } = outcome(timeout(time, answered).await, late)?;
    Ok(json!({ "messages": messages }))
}

/// What stands for a request in the rooms.
fn connection(admin: Identity, node: &Node) -> (Arc<Connection>, Arc<str>) {
    let outbox = Outbox::new(node.outbox_limits(), Subprotocol::Text);
    let connection = Connection::new(node.next_connection(), outbox);
    let user = connection.user.get_or_init(|| admin.user).clone();
    (Arc::new(connection), user)
}

/// Reads the answer to a request in a room, or returns why there is none: its error, or `unread`
/// without a readable answer in time.
fn outcome<P: Payload>(
    answer: Result<Result<Bytes, Refusal>, Elapsed>,
    unread: fn() -> Refusal,
) -> Result<P, Refusal> {
    let answer = answer.map_err(|_| unread())??;
    if let Ok(payload) = serde_json::from_slice(&answer) {
        return Ok(payload);
    }
    let error: payload::Error = serde_json::from_slice(&answer).map_err(|_| unread())?;
    Err(Refusal::new(error.code(), error.message))
}

fn late() -> Refusal {
    Refusal::new(ErrorCode::Overloaded, "the search was not done in time")
}

fn uncertain() -> Refusal {
    let message = "no answer in time: the text may have been kept; repeat it with its key";
    Refusal::new(ErrorCode::Uncertain, message)
}

/// Publishes a text, and waits for its number.
async fn publish_as(admin: Identity, publish: Publish, node: Arc<Node>) -> Result<Value, Refusal> {
    let (connection, user) = connection(admin, &node);
    let cost = Cost::of_message(publish.text.len());
    node.rates.charge(&user, &node.rates.connection(), cost)?;
    node.guard.hold_back().await;
    let answered = async {
        node.hub.publish(connection.clone(), publish).await?;
        first_text(&connection.outbox).await
    };
    let answer = timeout(node.config.request_timeout, answered).await;
    let Ack { room, seq, .. } = outcome(answer, uncertain)?;
    Ok(json!({ "room": room, "seq": seq }))
}

/// Waits for the first text message in an outbox.
async fn first_text(outbox: &Outbox) -> Result<Bytes, Refusal> {
    let mut text = None;
    let written = poll_fn(|cx| {
        let drained = outbox.poll_drain(cx, |_, bytes| {
            text = wire::texts(bytes).next().map(Bytes::copy_from_slice);
            Poll::Ready(Ok(bytes.len()))
        });
        match text.take() {
            Some(text) => Poll::Ready(Ok(text)),
            None => Poll::Ready(Err(ready!(drained))),
        }
    });
    let ended = |_| Refusal::new(ErrorCode::Overloaded, "server shutting down");
    written.await.map_err(ended)
}

/// Lists the connections of this server. A closure of low priority visits each member of each room.
async fn list(node: Arc<Node>, allowed: Rooms) -> Result<Value, Refusal> {
    let pages = node.pools.pages.clone();
    Ok(pages.run(move || table(&node, &allowed)).await?)
}

fn table(node: &Node, allowed: &Rooms) -> Value {
    #[derive(Serialize)]
    struct Row<'a> {
        session: String,
        user: &'a str,
        rooms: Vec<String>,
        age_seconds: f64,
        outbox_frames: usize,
        outbox_bytes: usize,
    }
    let name = &node.config.node;
    let connections = node.hub.list().into_iter().map(|(connection, mut rooms)| {
        rooms.retain(|room| allowed.allows(room));
        let waiting = connection.outbox.waiting();
        json!(Row {
            session: crate::sessions::name(name, connection.id),
            user: connection.user(),
            rooms,
            age_seconds: connection.opened.elapsed().as_secs_f64(),
            outbox_frames: waiting.frames,
            outbox_bytes: waiting.bytes,
        })
    });
    json!({ "node": name, "connections": connections.collect::<Vec<_>>() })
}

/// Returns the reply to a refused request: the payload of an error frame.
pub(crate) fn refused(refusal: &Refusal) -> Reply {
    let status = match refusal.code {
        ErrorCode::NotAuthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Uncertain => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut reply = reply::new(status, JSON, json!(refusal.payload()).to_string());
    let headers = reply.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        _ => {}
    }
    reply
}

#[cfg(test)]
mod tests;
