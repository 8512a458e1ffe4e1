//! Checks the Host and the Origin of a request.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Request, Version};

use crate::config::Config;
use crate::error::Refused;

/// The host that a request names; none in old HTTP, which need not name one. HTTP/1.1 wants exactly
/// one Host header, even if the target of the request names the host and goes before it.
pub(crate) fn host<B>(request: &Request<B>) -> Result<Option<Authority>, Refused> {
    let named = match only(request.headers(), &HOST) {
        Ok(Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| Refused::Host)?,
        Ok(None) if request.version() < Version::HTTP_11 => return Ok(None),
        Ok(None) | Err(Several) => return Err(Refused::Host),
    };
    if named.as_str().contains('@') {
        return Err(Refused::Host);
    }
    let target = request.uri().authority();
    Ok(Some(target.cloned().unwrap_or(named)))
}

/// The host that a request names, if it can be this server.
pub(crate) fn own<B>(request: &Request<B>, config: &Config) -> Result<Authority, Refused> {
    let host = host(request)?.ok_or(Refused::Host)?;
    is_own(&host, config).then_some(host).ok_or(Refused::Origin)
}

/// Whether a page may connect that was loaded from somewhere: from the server itself, or from where
/// it is let. Programs that are no browsers send no origin.
pub(crate) fn check(headers: &HeaderMap, host: &Authority, config: &Config) -> Result<(), Refused> {
    let origin = match only(headers, &ORIGIN) {
        Ok(None) => return Ok(()),
        Ok(Some(origin)) => origin.to_str().map_err(|_| Refused::Origin)?,
        Err(Several) => return Err(Refused::Origin),
    };
    let from_here = is_at(origin, host);
    let is_origin = |allowed: &String| allowed.eq_ignore_ascii_case(origin);
    let allowed = config.allow_any_origin || config.allow_origin.iter().any(is_origin);
    if allowed || from_here && is_own(host, config) {
        return Ok(());
    }
    Err(Refused::Origin)
}

/// Returns whether a host can be this server. By DNS rebinding, an attacker's name may point to
/// 127.0.0.1, and a browser treats its page and a local server as one origin. So a server on a
/// loopback address accepts only the machine's own names, and those of `--allow-origin`.
pub(crate) fn is_own(host: &Authority, config: &Config) -> bool {
    let trusted = |origin: &String| is_at(origin, host);
    !config.listen.is_loopback()
        || config.allow_any_origin
        || is_of_this_machine(host.host())
        || config.allow_origin.iter().any(trusted)
}

fn is_at(origin: &str, host: &Authority) -> bool {
    let origin = origin.split_once("://");
    origin.is_some_and(|(_, name)| name.eq_ignore_ascii_case(host.as_str()))
}

fn is_of_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A header that came more than once.
pub(crate) struct Several;

/// The value of a header that may come once.
pub(crate) fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Several> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Several),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &'static str) -> Authority {
        Authority::from_static(name)
    }

    #[test]
    fn a_server_on_the_machine_itself_has_the_names_of_the_machine() {
        let config = Config {
            allow_origin: vec!["https://chat.example".to_owned()],
            ..Config::default()
        };
        for own in [
            "localhost:8080",
            "LOCALHOST",
            "chat.localhost:1",
            "localhost.",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "chat.example",
        ] {
            assert!(is_own(&host(own), &config), "{own}");
        }
        for foreign in [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "chat.example:81",
        ] {
            assert!(!is_own(&host(foreign), &config), "{foreign}");
        }
    }

    #[test]
    fn a_server_on_a_network_has_names_that_it_does_not_know() {
        let config = Config {
            listen: "0.0.0.0:80".parse().expect("an address"),
            ..Config::default()
        };
        assert!(is_own(&host("chat.example"), &config));
    }
}
