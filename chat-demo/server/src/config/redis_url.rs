//! URLs of Redis, which may contain a password.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo, RedisResult};

/// The address of a Redis. It is shown without its user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// What the address says, or why it is none.
    pub(crate) fn read(&self) -> RedisResult<ConnectionInfo> {
        self.0.as_str().into_connection_info()
    }
}

/// Each text is taken: an error here would show it.
impl From<&str> for RedisUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

/// The scheme, and what else is no secret. In what cannot be read the password may be anywhere.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split_once("://").map(|(scheme, _)| scheme);
        if let Some(scheme) = scheme.filter(|scheme| !scheme.contains([':', '@'])) {
            write!(f, "{scheme}://")?;
        }
        match self.read() {
            Ok(info) => write!(f, "{}", info.addr()),
            Err(_) => f.write_str("..."),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("rediss://ann:secret@host:6380/1", "rediss://host:6380"),
            ("redis://:secret@host", "redis://host:6379"),
            (
                "unix:///run/redis.sock?user=ann&pass=secret",
                "unix:///run/redis.sock",
            ),
            ("redis://:sec#ret@host", "redis://..."),
            ("redis://:secret", "redis://..."),
            ("http://ann:secret@host", "http://..."),
            ("ann:secret@host", "..."),
            ("ann:secret@host://", "..."),
        ] {
            let url = RedisUrl::from(url);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("secret"), "{url:?}");
        }
    }
}
