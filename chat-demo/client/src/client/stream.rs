//! The transport below the WebSocket.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::error::{ClientError, Result};

/// Returns the host and port of `url`.
pub fn target(url: &str) -> Result<String> {
    let address = || ClientError::Address(url.to_owned());
    let request = url.into_client_request().map_err(|_| address())?;
    let uri = request.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("ws"), Some(host)) => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        _ => Err(address()),
    }
}

/// Connects to the server at `url`.
pub(super) async fn connect(url: &str) -> Result<TcpStream> {
    let target = target(url)?;
    let connected = TcpStream::connect(&target).await;
    connected.map_err(|source| ClientError::Connect { target, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert_eq!(target("ws://[::1]:81/ws").expect("good"), "[::1]:81");
        assert_eq!(
            target("ws://example.com/ws").expect("good"),
            "example.com:80"
        );
        for bad in ["", "example.com", "http://example.com/ws", "ws://"] {
            let error = target(bad).expect_err(bad);
            assert!(matches!(error, ClientError::Address(_)), "{error}");
        }
    }
}
