//! Requests without a socket.

use std::future::ready;
use std::pin::pin;

use futures_util::FutureExt;

use super::*;
use crate::config::Config;

#[tokio::test]
async fn request_without_a_slot_gets_retry_after() {
    let node = Node::new(Config::default()).expect("valid settings");
    let all: Vec<_> = std::iter::from_fn(|| node.pools.api.try_slot().ok()).collect();
    let refusal = run(&node, ready(())).await.expect_err("there is no slot");
    let reply = refused(&refusal);
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.headers()[RETRY_AFTER], RETRY_AFTER_SECONDS);
    drop(all);
    run(&node, ready(())).await.expect("there are slots");
}

#[tokio::test]
async fn list_of_connections_waits_for_its_low_pool() {
    let node = Arc::new(Node::new(Config::default()).expect("valid settings"));
    let pages = node.pools.pages.clone();
    let all: Vec<_> = std::iter::from_fn(|| pages.try_slot().ok()).collect();
    let mut listed = pin!(list(node.clone(), Rooms::default()));
    assert!(listed.as_mut().now_or_never().is_none());
    drop(all);
    listed.await.expect("there are slots");
}

#[test]
fn unreadable_answer_to_a_search_is_not_uncertain() {
    let unreadable = || Ok(Ok(Bytes::from_static(b"x")));
    let refusal = outcome::<Search>(unreadable(), late).expect_err("it is no answer");
    assert_eq!(refusal.code, ErrorCode::Overloaded);
    let refusal = outcome::<Ack>(unreadable(), uncertain).expect_err("it is no answer");
    assert_eq!(refusal.code, ErrorCode::Uncertain);
}

#[test]
fn resources_are_found_by_their_paths() {
    let text = str::to_owned;
    let some = [
        ("/api/rooms/tea/messages", Resource::Messages(text("tea"))),
        ("/api/connections", Resource::Connections),
        ("/api/users/a%2Fb%20%C3%BC", Resource::User(text("a/b ü"))),
    ];
    for (path, resource) in some {
        assert_eq!(Resource::of(path), Some(resource), "{path}");
    }
    for path in [
        "/api/stats",
        "/api/rooms/tea",
        "/api/rooms/tea/events",
        "/api/users/a/b",
        "/api/users/%FF",
        "/",
    ] {
        assert_eq!(Resource::of(path), None, "{path}");
    }
}
