//! Why a frame is refused, why the server closes a connection, and why it cannot serve.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use chat_demo_client::payload::{self, Bye, ErrorCode};
use chat_demo_client::subprotocol::Subprotocol;
use chat_demo_client::wire;
use strum::{EnumMessage, EnumProperty, IntoStaticStr, VariantArray};
use thiserror::Error;

use crate::config::RedisError;
pub use crate::journal::DataError;
use crate::secret::SecretError;
use crate::tls::TlsError;

/// The longest message of an error, in bytes.
const LONGEST: usize = 200;

/// A refused frame. The client gets the error; the connection stays open unless `closes` is set.
#[derive(Debug, Error)]
#[error("{code:?}: {message}")]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    message: Cow<'static, str>,
    /// The client's own id of what was refused.
    id: Option<String>,
    /// The room that the client has not joined, or has left, because of it.
    room: Option<String>,
    /// Set when the connection does not live on.
    pub(crate) closes: Option<CloseReason>,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: cut(message.into()),
            id: None,
            room: None,
            closes: None,
        }
    }

    /// Of a request whose handler waited for too long.
    pub(crate) fn timed_out() -> Self {
        Self::new(ErrorCode::Overloaded, "request timed out; retry later")
    }

    /// After this the connection ends.
    pub(crate) fn closing(self, reason: CloseReason) -> Self {
        let closes = Some(reason);
        Self { closes, ..self }
    }

    pub(crate) fn with_id(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn with_room(self, room: Option<String>) -> Self {
        Self { room, ..self }
    }

    /// With an id, unless it has one.
    pub(crate) fn or_id(self, id: impl FnOnce() -> Option<String>) -> Self {
        let id = self.id.or_else(id);
        Self { id, ..self }
    }

    pub(crate) fn payload(&self) -> payload::Error {
        payload::Error {
            code: self.code.into(),
            message: self.message.to_string(),
            id: self.id.clone(),
            room: self.room.clone(),
        }
    }
}

/// The beginning of a message that repeats what a client sent.
fn cut(message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() <= LONGEST {
        return message;
    }
    let is_end = |end: &usize| message.is_char_boundary(*end);
    let end = (0..=LONGEST).rev().find(is_end).unwrap_or_default();
    format!("{}…", &message[..end]).into()
}

/// Why a socket may not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Refused {
    #[error("WebSocket upgrades need HTTP/1.1")]
    Version,
    #[error("exactly one valid Host header is required")]
    Host,
    #[error("an upgrade request must not have a body")]
    Body,
    #[error("this is a WebSocket endpoint, version 13")]
    #[strum(serialize = "not_websocket")]
    NotWebSocket,
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
    #[error("origin not allowed; add it to the server's --allow-origin")]
    Origin,
    #[error("unknown subprotocol; the server supports {}", Subprotocol::ALL.map(Subprotocol::name).join(", "))]
    Subprotocol,
    #[error("all connections are taken")]
    Full,
    #[error("server overloaded; retry later")]
    Overloaded,
    #[error("server shutting down; connect to another")]
    Draining,
    /// Not sent: there was no request to answer.
    #[error("no request in time")]
    Timeout,
    /// Not sent: there was no request, and others needed the place.
    #[error("too many sockets without a request")]
    Crowded,
    /// Sent only by TLS itself: the handshake failed.
    #[error("no TLS handshake")]
    Tls,
}

/// Why the server, not the client, ends a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, EnumMessage, EnumProperty, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum CloseReason {
    #[strum(message = "no hello in time", props(code = 1008))]
    HelloTimeout,
    #[strum(message = "no frame within the idle timeout", props(code = 1001))]
    Idle,
    /// What came is not a frame, or not WebSocket: the stream cannot be trusted.
    #[strum(message = "bad frame", props(code = 1002))]
    BadFrame,
    #[strum(
        message = "wrong message type: text for chat.text, binary otherwise",
        props(code = 1003)
    )]
    Unsupported,
    /// Of a text message, or of the reason of a close.
    #[strum(message = "text is not UTF-8", props(code = 1007))]
    NotUtf8,
    #[strum(message = "payload too large", props(code = 1009))]
    TooLarge,
    #[strum(message = "invalid token", props(code = 1008))]
    BadToken,
    #[strum(message = "token expired", props(code = 1008))]
    TokenExpired,
    /// One of them may be of a network that the client has left.
    #[strum(message = "too many connections of this user", props(code = 1013))]
    UserConnections,
    #[strum(message = "client too slow", props(code = 1008))]
    SlowConsumer,
    #[strum(message = "disconnected by an admin", props(code = 1008))]
    Disconnected,
    #[strum(message = "server restart", props(code = 1012))]
    Restart,
}

impl CloseReason {
    pub(crate) fn code(self) -> u16 {
        let code = self.get_int("code").expect("each reason has a code");
        u16::try_from(code).expect("a code has four digits")
    }

    /// Returns the reason for people.
    pub(crate) fn text(self) -> &'static str {
        self.get_message().expect("each reason has a message")
    }

    pub(crate) fn says_bye(self) -> bool {
        matches!(
            self,
            Self::SlowConsumer | Self::TokenExpired | Self::Disconnected
        )
    }

    /// The last bytes of the connection: a close frame, after a bye unless one was sent before.
    pub(crate) fn farewell(self, subprotocol: Subprotocol) -> Bytes {
        let close = wire::close(self.code(), self.text());
        if !self.says_bye() {
            return close;
        }
        let bye = Bye {
            reason: self.text().to_owned(),
            reconnect_after_ms: 1000,
        };
        let mut bytes = BytesMut::from(wire::message(&bye, subprotocol));
        bytes.extend_from_slice(&close);
        bytes.freeze()
    }
}

/// Why the server does not serve, or did not end well.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}: {}; choose another with --listen",
        describe(source)
    )]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Signals, or the listener, cannot be used.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    /// What tokens are signed with cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was said of Redis cannot be used.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The certificate to speak TLS with cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A pool refused its settings.
    #[error("cannot build the pools: {0}")]
    Pool(#[from] anthill::BuildError),
    /// The file of `--data` cannot be used.
    #[error("cannot open data file `{}`: {source}; choose another with --data", path.display())]
    Data {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<DataError>,
    },
    /// The drain's deadline passed.
    #[error("{left} connections were still open at the drain's deadline")]
    Drain {
        /// How many.
        left: usize,
    },
}

/// The system's words without the number behind them.
pub(crate) fn describe(error: &impl Display) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_close_reason_has_a_code_and_a_text() {
        for reason in CloseReason::VARIANTS {
            assert!((1001..=1013).contains(&reason.code()), "{reason:?}");
            assert!(!reason.text().is_empty(), "{reason:?}");
        }
    }
}
