//! Errors of a client, and whether another attempt can help.

use std::{io, time::Duration};

use thiserror::Error;
use tokio_tungstenite::tungstenite::{
    self,
    http::{Response, StatusCode, header::RETRY_AFTER},
};

use crate::{
    frame::{FrameError, Kind},
    payload::{self, Close, ErrorCode},
};

/// The close code of a server that refuses this client.
const POLICY: u16 = 1008;

/// Why an operation of a client failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is not one of a WebSocket without TLS.
    #[error("{0:?} is not a URL like ws://127.0.0.1:8080/ws")]
    Address(String),
    /// The TCP connection failed.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// Host and port.
        target: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Connecting, the handshake and the welcome took too long in total.
    #[error("no welcome within {0:?}")]
    Late(Duration),
    /// The server refused the upgrade; the cause has its HTTP status and reason.
    #[error("the handshake failed: {}", refusal(.0))]
    Handshake(#[source] Box<tungstenite::Error>),
    /// The server answered hello with an error frame.
    #[error("the server refused the hello: {}", .0.message)]
    Refused(payload::Error),
    /// The server refused a page of history for now; the next connection requests it again.
    #[error("the server refused a page of history: {}", .0.message)]
    HistoryRefused(payload::Error),
    /// The server closed the connection before its welcome.
    #[error("closed before the welcome: {0}")]
    NotWelcome(#[source] Close),
    /// The server closed the connection after its welcome.
    #[error("closed by the server: {0}")]
    Closed(#[source] Close),
    /// The server sent nothing for its own idle time, not even an answer to a heartbeat.
    #[error("the server sent nothing for {0:?}")]
    Silent(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Socket(#[source] Box<tungstenite::Error>),
    /// The bytes are not a frame, or the payload is too long for one.
    #[error("bad frame: {0}")]
    Frame(#[from] FrameError),
    /// The server sent a text message instead of a frame.
    #[error("the server sent a text message instead of a frame")]
    Text,
    /// The payload does not match its type.
    #[error("bad payload of a frame of type {kind}: {source}")]
    Payload {
        /// The type of the frame.
        kind: Kind,
        /// The error of the payload.
        source: serde_json::Error,
    },
    /// The name of a room is not valid.
    #[error("{0:?} is not a room name: use 1 to 64 bytes, no control characters, not blank")]
    RoomName(String),
    /// The room must be joined first.
    #[error("not a member of {0:?}: join it first")]
    NotMember(String),
    /// Too many frames wait to be sent.
    #[error("cannot queue more than {0} frames: await the next event, which sends them")]
    Full(usize),
}

/// The result of an operation of a client.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;

impl ClientError {
    /// Returns whether another attempt would fail in the same way: the URL is wrong, or the server
    /// refuses this client. Temporary errors are not final: no answer, a full server, a restart.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Handshake(error) => response(error).is_some_and(|response| {
                let status = response.status();
                let temporary = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
                status.is_client_error() && !temporary.contains(&status)
            }),
            Self::Refused(error) => {
                !matches!(error.code(), ErrorCode::Overloaded | ErrorCode::RateLimited)
            }
            Self::NotWelcome(close) => close.code == POLICY,
            _ => false,
        }
    }

    /// Returns the wait before the next attempt that the server asked for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let Self::Handshake(error) = self else {
            return None;
        };
        let seconds = response(error)?.headers().get(RETRY_AFTER)?;
        let seconds = seconds.to_str().ok()?;
        seconds.parse().ok().map(Duration::from_secs)
    }
}

/// Returns the server's answer, if it refused the upgrade.
fn response(error: &tungstenite::Error) -> Option<&Response<Option<Vec<u8>>>> {
    match error {
        tungstenite::Error::Http(response) => Some(response),
        _ => None,
    }
}

/// Returns the status and the first line of the reason of a refused upgrade.
fn refusal(error: &tungstenite::Error) -> String {
    let Some(response) = response(error) else {
        return error.to_string();
    };
    let body = response.body().as_deref().unwrap_or_default();
    let reason = String::from_utf8_lossy(body);
    match reason.lines().next() {
        Some(reason) => format!("{}: {reason}", response.status()),
        None => response.status().to_string(),
    }
}

/// Converts an error of the WebSocket library about an open connection.
pub(super) fn broken(error: tungstenite::Error) -> ClientError {
    ClientError::Socket(Box::new(error))
}

#[cfg(test)]
mod tests {
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
            room: None,
        })
    }

    fn not_welcome(code: u16) -> ClientError {
        ClientError::NotWelcome(Close {
            code,
            reason: String::new(),
        })
    }

    #[test]
    fn errors_that_would_repeat_are_final() {
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
    fn temporary_errors_are_not_final() {
        for error in [
            answered(503, ""),
            answered(429, ""),
            answered(408, ""),
            refused(ErrorCode::Overloaded),
            not_welcome(1012),
            not_welcome(1006),
            ClientError::Late(Duration::ZERO),
            ClientError::Closed(Close {
                code: 1008,
                reason: "too slow".to_owned(),
            }),
        ] {
            assert!(!error.is_final(), "{error}");
        }
    }

    #[test]
    fn a_refused_handshake_has_the_server_s_reason() {
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
