//! Answers to HTTP requests.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// All there is to say fits in one piece.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A body of a kind. Nothing here is worth a cache: the page comes from memory, and figures are old
/// at once.
pub(crate) fn new(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

pub(crate) fn text(status: StatusCode, words: impl Into<Bytes>) -> Reply {
    new(
        status,
        HeaderValue::from_static("text/plain; charset=utf-8"),
        words,
    )
}
