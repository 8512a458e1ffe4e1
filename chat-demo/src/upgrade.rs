//! The answer to `GET /ws`: whether a socket may go on as a WebSocket.

use anthill::Slot;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::config::{Config, WhenFull};
use crate::error::Refused;
use crate::guard::Pressure;
use crate::node::Node;
use crate::reply::{Reply, text};
use crate::subprotocol::Subprotocol;

/// When a client that found no place should ask again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// What is kept from the answer to an upgrade until it has been sent.
pub(crate) struct Granted {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) subprotocol: Subprotocol,
    /// The connection's place in the pool.
    pub(crate) slot: Slot<'static>,
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NotWebSocket => StatusCode::UPGRADE_REQUIRED,
            Refused::Key | Refused::Subprotocol | Refused::Tls => StatusCode::BAD_REQUEST,
            Refused::Origin => StatusCode::FORBIDDEN,
            Refused::Full | Refused::Overloaded | Refused::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refused::Timeout => StatusCode::REQUEST_TIMEOUT,
        };
        let mut reply = text(status, format!("{refused}\n"));
        let headers = reply.headers_mut();
        match refused {
            Refused::NotWebSocket => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Refused::Full | Refused::Overloaded | Refused::Draining => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
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
    let headers = request.headers();
    let accept = check_handshake(headers)?;
    check_origin(headers, &node.config)?;
    let subprotocol = choose_subprotocol(headers)?;
    let slot = find_place(node, deadline).await?;

    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(subprotocol.name()),
        );
    }
    Ok((
        reply,
        Granted {
            upgrade: hyper::upgrade::on(&mut request),
            subprotocol: subprotocol.unwrap_or_default(),
            slot,
        },
    ))
}

/// Whether the request is an RFC 6455 handshake; its answer to the key.
fn check_handshake(headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    let upgrade = tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"));
    let connection =
        tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let version = headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_some_and(|version| version == "13");
    if !(upgrade && connection && version) {
        return Err(Refused::NotWebSocket);
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
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

/// A page may connect to the host it came from, and to hosts that let it. Programs that are no browsers send no origin.
fn check_origin(headers: &HeaderMap, config: &Config) -> Result<(), Refused> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    if config.allow_any_origin {
        return Ok(());
    }
    let origin = origin.to_str().unwrap_or_default();
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let same = origin
        .split_once("://")
        .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
    if same
        || config
            .allow_origin
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        return Ok(());
    }
    Err(Refused::Origin)
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
async fn find_place(node: &Node, deadline: Instant) -> Result<Slot<'static>, Refused> {
    let pool = &node.pools.connections;
    if node.guard.pressure() > Pressure::None {
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
