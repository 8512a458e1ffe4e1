//! The web page: its files by the paths that a browser asks for.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY,
};

use crate::reply::{self, Reply};

/// The page may load only from this server, without inline scripts or styles.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const INDEX: &str = include_str!("../page/index.html");

/// The module that pages of other origins import, too, and what it imports.
const PUBLIC: [&str; 2] = ["/client.js", "/frames.js"];

/// Path, kind and text of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, INDEX),
    // The page shows another view there.
    ("/dashboard", HTML, INDEX),
    (
        "/icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
    ("/style.css", CSS, include_str!("../page/style.css")),
    ("/dashboard.css", CSS, include_str!("../page/dashboard.css")),
    ("/chat.js", SCRIPT, include_str!("../page/chat.js")),
    ("/client.js", SCRIPT, include_str!("../page/client.js")),
    ("/composer.js", SCRIPT, include_str!("../page/composer.js")),
    (
        "/dashboard.js",
        SCRIPT,
        include_str!("../page/dashboard.js"),
    ),
    ("/elements.js", SCRIPT, include_str!("../page/elements.js")),
    ("/frames.js", SCRIPT, include_str!("../page/frames.js")),
    ("/log.js", SCRIPT, include_str!("../page/log.js")),
    ("/plot.js", SCRIPT, include_str!("../page/plot.js")),
    ("/room.js", SCRIPT, include_str!("../page/room.js")),
    ("/rooms.js", SCRIPT, include_str!("../page/rooms.js")),
    ("/search.js", SCRIPT, include_str!("../page/search.js")),
    ("/signin.js", SCRIPT, include_str!("../page/signin.js")),
    ("/typing.js", SCRIPT, include_str!("../page/typing.js")),
];

/// The file of that path, if it is one of the page's.
pub(crate) fn file(path: &str) -> Option<Reply> {
    let (_, kind, text) = FILES.iter().find(|(known, ..)| *known == path)?;
    let mut reply = reply::new(StatusCode::OK, HeaderValue::from_static(kind), *text);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if PUBLIC.contains(&path) {
        // Public text. The WebSocket checks where a page comes from.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Some(reply)
}
