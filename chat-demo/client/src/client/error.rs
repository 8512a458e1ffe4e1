//! What a client could not do, why, and whether it is worth another attempt.

use std::{io, time::Duration};

use thiserror::Error;
use tokio_tungstenite::tungstenite::{
    self,
    http::{StatusCode, header::RETRY_AFTER},
};

use crate::{
    frame::{FrameError, Kind},
    payload::{self, ErrorCode},
};

/// The close code of a server that wants nothing to do with this client.
const POLICY: u16 = 1008;

/// What a client could not do, and why.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one of a WebSocket without TLS.
    #[error("{0:?} is not an address like ws://127.0.0.1:8080/ws")]
    Address(String),
    /// No TCP connection came about.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// Connecting, the handshake and the welcome took too long together.
    #[error("not welcomed within {0:?}")]
    Late(Duration),
    /// The server did not agree to a WebSocket; its HTTP status and its reason are in the cause.
    #[error("the handshake failed: {}", refusal(.0))]
    Handshake(#[source] Box<tungstenite::Error>),
    /// The server answered hello with an error frame.
    #[error("the server refused the hello: {}", .0.message)]
    Refused(payload::Error),
    /// The server closed the connection before its welcome.
    #[error("closed before the welcome: {code} {reason}")]
    NotWelcome {
        /// The close code; 1005 when it had none, 1006 when nothing announced the end.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// The server closed the connection after its welcome.
    #[error("closed by the server: {code} {reason}")]
    Closed {
        /// The close code; 1005 when it had none, 1006 when nothing announced the end.
        code: u16,
        /// What the server said.
        reason: String,
    },
    /// The server said nothing for as long as it keeps silent clients itself, not even to a heartbeat.
    #[error("the server said nothing for {0:?}")]
    Silent(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Socket(#[source] Box<tungstenite::Error>),
    /// The bytes are not a frame, or would not fit one.
    #[error("bad frame: {0}")]
    Frame(#[from] FrameError),
    /// A text message, where the protocol has binary ones.
    #[error("a text message came instead of a frame")]
    Text,
    /// The payload is not what its type promises.
    #[error("bad payload of a frame of type {kind}: {source}")]
    Payload {
        /// The type of the frame.
        kind: Kind,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No room is called so.
    #[error(
        "{0:?} is no name of a room: it has 1 to 64 bytes, no control characters, and is not blank"
    )]
    RoomName(String),
    /// The room has to be joined first.
    #[error("not a member of {0:?}: join it first")]
    NotMember(String),
    /// Too much waits to be sent.
    #[error("{0} frames wait to be sent already: await what comes next, which sends them")]
    Full(usize),
}

/// The result of what a client does.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;

impl ClientError {
    /// Whether another attempt to connect would end alike: the address is wrong, or the server does not want this client.
    /// What may be over in a while is not final: nobody answers, the server is full, it restarts.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Handshake(error) => match &**error {
                tungstenite::Error::Http(response) => {
                    response.status().is_client_error()
                        && !matches!(
                            response.status(),
                            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                        )
                }
                _ => false,
            },
            Self::Refused(error) => {
                !matches!(error.code(), ErrorCode::Overloaded | ErrorCode::RateLimited)
            }
            Self::NotWelcome { code, .. } => *code == POLICY,
            _ => false,
        }
    }

    /// How long the server asked to wait before the next attempt.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let Self::Handshake(error) = self else {
            return None;
        };
        let tungstenite::Error::Http(response) = &**error else {
            return None;
        };
        let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        seconds.parse().ok().map(Duration::from_secs)
    }
}

/// What a server answered instead of agreeing to a WebSocket: its status, and the first line of its reason.
fn refusal(error: &tungstenite::Error) -> String {
    let tungstenite::Error::Http(response) = error else {
        return error.to_string();
    };
    let body = response.body().as_deref().unwrap_or_default();
    let reason = String::from_utf8_lossy(body);
    match reason.lines().next() {
        Some(reason) => format!("{}: {reason}", response.status()),
        None => response.status().to_string(),
    }
}

/// What the WebSocket library says of a connection that was open.
pub(super) fn broken(error: tungstenite::Error) -> ClientError {
    ClientError::Socket(Box::new(error))
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::http::Response;

    use super::*;

    fn answered(status: u16, retry_after: &str) -> ClientError {
        let response = Response::builder()
            .status(status)
            .header(RETRY_AFTER, retry_after)
            .body(None)
            .expect("a response");
        ClientError::Handshake(Box::new(tungstenite::Error::Http(Box::new(response))))
    }

    fn refused(code: ErrorCode) -> ClientError {
        ClientError::Refused(payload::Error {
            code: code.into(),
            message: String::new(),
            id: None,
        })
    }

    fn not_welcome(code: u16) -> ClientError {
        ClientError::NotWelcome {
            code,
            reason: String::new(),
        }
    }

    #[test]
    fn what_another_attempt_would_meet_again_is_final() {
        for error in [
            ClientError::Address("http://a".to_owned()),
            answered(403, ""),
            refused(ErrorCode::NotAuthenticated),
            refused(ErrorCode::BadPayload),
            not_welcome(1008),
        ] {
            assert!(error.is_final(), "{error}");
        }
    }

    #[test]
    fn what_may_be_over_in_a_while_is_not_final() {
        for error in [
            answered(503, ""),
            answered(429, ""),
            answered(408, ""),
            refused(ErrorCode::Overloaded),
            not_welcome(1012),
            not_welcome(1006),
            ClientError::Late(Duration::ZERO),
            ClientError::Closed {
                code: 1008,
                reason: "too slow".to_owned(),
            },
        ] {
            assert!(!error.is_final(), "{error}");
        }
    }

    #[test]
    fn a_refused_handshake_says_what_the_server_said() {
        let response = |body: Option<&str>| {
            let response = Response::builder().status(503);
            let response = response.body(body.map(|body| body.as_bytes().to_vec()));
            let response = response.expect("a response");
            let error = tungstenite::Error::Http(Box::new(response));
            ClientError::Handshake(Box::new(error)).to_string()
        };
        let status = "the handshake failed: 503 Service Unavailable";
        assert_eq!(response(None), status);
        assert_eq!(
            response(Some("full\nvery full\n")),
            format!("{status}: full")
        );
    }

    #[test]
    fn a_full_server_says_when_to_come_back() {
        assert_eq!(
            answered(503, "7").retry_after(),
            Some(Duration::from_secs(7))
        );
        assert_eq!(answered(503, "tomorrow").retry_after(), None);
        assert_eq!(not_welcome(1012).retry_after(), None);
    }
}
