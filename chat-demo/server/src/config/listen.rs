//! The address to listen on: a host name or an IP address, and a port.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// The addresses that a host name resolves to, in the resolver's order; never empty.
///
/// The server listens on the first that it can bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddrs(Vec<SocketAddr>);

impl ListenAddrs {
    /// Returns the addresses in the order in which to try them.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }

    /// Returns whether only programs of this machine can connect.
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.iter().all(|address| address.ip().is_loopback())
    }
}

/// Reads `HOST:PORT` and resolves the host. Blocks while the resolver works.
impl FromStr for ListenAddrs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let parts = text.rsplit_once(':');
        let host_and_port = parts.filter(|(host, _)| !host.is_empty() && !host.contains(':'));
        let Some((host, Ok(port))) = host_and_port.map(|(host, port)| (host, port.parse::<u16>()))
        else {
            return Err("not HOST:PORT, like localhost:8080 or [::1]:8080".to_owned());
        };
        let resolved = (host, port).to_socket_addrs();
        let addresses: Vec<_> = resolved
            .map_err(|error| format!("cannot resolve `{host}`: {error}"))?
            .collect();
        if addresses.is_empty() {
            return Err(format!("cannot resolve `{host}`: it has no address"));
        }
        Ok(Self(addresses))
    }
}

impl From<SocketAddr> for ListenAddrs {
    fn from(address: SocketAddr) -> Self {
        Self(vec![address])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_resolve() {
        let listen: ListenAddrs = "localhost:8080".parse().expect("a name of this machine");
        assert!(listen.is_loopback(), "{listen:?}");
        assert!(listen.addresses().iter().all(|one| one.port() == 8080));
    }

    #[test]
    fn ip_addresses_stay_as_they_are() {
        for text in ["127.0.0.1:0", "[::1]:8080", "0.0.0.0:80"] {
            let listen: ListenAddrs = text.parse().expect(text);
            assert_eq!(listen, text.parse::<SocketAddr>().expect(text).into());
        }
    }

    #[test]
    fn wrong_addresses_are_refused_with_the_reason() {
        for (text, reason) in [
            ("localhost", "not HOST:PORT"),
            (":8080", "not HOST:PORT"),
            ("localhost:http", "not HOST:PORT"),
            ("::1:8080:", "not HOST:PORT"),
            ("localhost:65536", "not HOST:PORT"),
            (
                "no-such-host.invalid:80",
                "cannot resolve `no-such-host.invalid`",
            ),
        ] {
            let error = text.parse::<ListenAddrs>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
