//! Who connects where, and how.

use std::{fmt, time::Duration};

use tokio::time::timeout;

use super::{
    Client,
    connection::Connection,
    error::{ClientError, Result},
    stream,
};
use crate::{payload, subprotocol::Subprotocol};

/// How long connecting may take unless the program says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a client is made of: an address, who it is, and how long it tries.
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

    /// What the others shall see; the server makes up a name when there is neither this nor a token.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.hello.name = Some(name.into());
        self
    }

    /// Proof of identity.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.hello.token = Some(token.into());
        self
    }

    /// How long connecting, the handshake and the welcome may take together; 10 s by default.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Connects, and waits for the welcome.
    pub async fn connect(self) -> Result<Client> {
        Ok(Client::over(self.dial().await?))
    }

    /// A connection that has been welcomed.
    pub(super) async fn dial(self) -> Result<Connection> {
        let dialing = async {
            let stream = stream::connect(&self.url).await?;
            Connection::open(stream, &self.url, &self.hello, Subprotocol::Json).await
        };
        let late = |_| ClientError::Late(self.timeout);
        timeout(self.timeout, dialing).await.map_err(late)?
    }
}

/// Without the token.
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
