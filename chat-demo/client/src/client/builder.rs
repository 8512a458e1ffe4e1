//! A builder of clients.

use std::{fmt, time::Duration};

use tokio::time::timeout;

use super::{
    Client,
    connection::Connection,
    error::{ClientError, Result},
    stream,
};
use crate::{payload, subprotocol::Subprotocol};

/// The default timeout of connecting.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A builder of clients: URL, user and timeout.
#[derive(Clone)]
pub struct Builder {
    pub(super) url: String,
    hello: payload::Hello,
    timeout: Duration,
}

impl Builder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            hello: payload::Hello::default(),
            timeout: TIMEOUT,
        }
    }

    /// Sets the user's name. Without a name and a token, the server chooses one.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.hello.name = Some(name.into());
        self
    }

    /// Sets the token that proves the identity.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.hello.token = Some(token.into());
        self
    }

    /// Sets the timeout of connecting, handshake and welcome in total; 10 s by default.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Connects and waits for the welcome.
    pub async fn connect(self) -> Result<Client> {
        let connection = self.dial().await?;
        Ok(Client { connection })
    }

    /// Opens a connection and waits for the welcome.
    pub(super) async fn dial(self) -> Result<Connection> {
        let dialing = async {
            let stream = stream::connect(&self.url).await?;
            Connection::open(stream, &self.url, &self.hello, Subprotocol::Json).await
        };
        let late = |_| ClientError::Late(self.timeout);
        timeout(self.timeout, dialing).await.map_err(late)?
    }
}

/// Omits the token.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("url", &self.url)
            .field("name", &self.hello.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let shown = format!(
            "{:?}",
            Builder::new("ws://a/ws").name("ann").token("secret")
        );
        assert!(
            shown.contains("ann") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
