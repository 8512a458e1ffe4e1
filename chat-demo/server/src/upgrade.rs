//! The answer to `GET /ws`: whether a socket may become a WebSocket.

use anthill::Slot;
use bytes::Bytes;
use chat_demo_client::subprotocol::Subprotocol;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Version};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::config::WhenFull;
use crate::error::Refused;
use crate::node::Node;
use crate::origin::{self, only};
use crate::reply::{Reply, text};

/// When a client that found no place should ask again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// What is kept from the answer to an upgrade until it has been sent.
pub(crate) struct Granted {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) subprotocol: Subprotocol,
    /// The connection's place in the pool.
    pub(crate) slot: Slot<'static>,
}

impl Refused {
    pub(crate) fn turn_away(self, node: &Node) -> Reply {
        node.tally.refused.inc(self);
        self.reply(node)
    }

    /// What a client is answered that is refused, in words of its own or as the guard has it.
    pub(crate) fn reply(self, node: &Node) -> Reply {
        let words = match self {
            Self::Overloaded => node.refuses(),
            _ => None,
        };
        let words = words.unwrap_or_else(|| self.to_string());
        let status = match self {
            Self::NotWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::Version | Self::Host | Self::Body | Self::Key | Self::Subprotocol | Self::Tls => {
                StatusCode::BAD_REQUEST
            }
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Full | Self::Overloaded | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout | Self::Crowded => StatusCode::REQUEST_TIMEOUT,
        };
        let mut reply = text(status, format!("{words}\n"));
        let headers = reply.headers_mut();
        match self {
            Self::NotWebSocket => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::Full | Self::Overloaded | Self::Draining => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            // The request has no clear end.
            Self::Host | Self::Body => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        reply
    }
}

/// Grants the upgrade, or says why not.
pub(crate) async fn answer(
    mut request: Request<Incoming>,
    node: &Node,
    deadline: Instant,
) -> Result<(Reply, Granted), Refused> {
    if request.version() < Version::HTTP_11 {
        return Err(Refused::Version);
    }
    // A body could be read as frames.
    if !request.body().is_end_stream() {
        return Err(Refused::Body);
    }
    let headers = request.headers();
    let accept = check_handshake(headers)?;
    let host = origin::host(&request)?.ok_or(Refused::Host)?;
    origin::check(headers, &host, &node.config)?;
    let subprotocol = choose_subprotocol(headers)?;
    let slot = find_place(node, deadline).await?;

    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        let name = HeaderValue::from_static(subprotocol.name());
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    let granted = Granted {
        upgrade: hyper::upgrade::on(&mut request),
        subprotocol: subprotocol.unwrap_or_default(),
        slot,
    };
    Ok((reply, granted))
}

/// Whether the request is an RFC 6455 handshake; its answer to the key.
fn check_handshake(headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    let upgrade = tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"));
    let connection =
        tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let version = only(headers, &SEC_WEBSOCKET_VERSION)
        .is_ok_and(|version| version.is_some_and(|version| version == "13"));
    if !(upgrade && connection && version) {
        return Err(Refused::NotWebSocket);
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY)
        .ok()
        .flatten()
        .map(HeaderValue::as_bytes)
        .filter(|key| is_key(key))
        .ok_or(Refused::Key)?;
    Ok(HeaderValue::try_from(derive_accept_key(key)).expect("base64 is fit for a header"))
}

/// Sixteen bytes in base64 are 22 letters and two signs that nothing follows.
fn is_key(key: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key[..22].iter().all(letter) && key.ends_with(b"==")
}

/// The first of the client's subprotocols that is spoken; none where none is asked for.
fn choose_subprotocol(headers: &HeaderMap) -> Result<Option<Subprotocol>, Refused> {
    let mut asked = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).peekable();
    if asked.peek().is_none() {
        return Ok(None);
    }
    let spoken = asked.find_map(|token| {
        let mut all = Subprotocol::ALL.into_iter();
        all.find(|subprotocol| subprotocol.name() == token)
    });
    spoken.map(Some).ok_or(Refused::Subprotocol)
}

/// A slot of the pool, at once or in time.
pub(crate) async fn find_place(node: &Node, deadline: Instant) -> Result<Slot<'static>, Refused> {
    let pool = &node.pools.connections;
    if node.refuses().is_some() {
        return Err(Refused::Overloaded);
    }
    let slot = match node.config.when_full {
        _ if node.draining.is_cancelled() => None,
        WhenFull::Reject => pool.try_slot().ok(),
        WhenFull::Wait => tokio::select! {
            slot = pool.slot() => slot.ok(),
            () = sleep_until(deadline) => None,
            () = node.draining.cancelled() => None,
        },
    };
    slot.map(Slot::into_owned).ok_or_else(|| {
        if node.draining.is_cancelled() {
            Refused::Draining
        } else {
            Refused::Full
        }
    })
}

/// The comma-separated values of a header that may come several times.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}
