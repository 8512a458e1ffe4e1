//! A full server.

use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_server::config::WhenFull;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::Response;

use crate::harness::{Client, Server, run};

/// Returns the answer to a refused client.
async fn refusal(server: &Server) -> Response {
    let stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    match Client::over(stream, server.request()).await {
        Err(Error::Http(response)) => response.map(|_| None),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("let in"),
    }
}

#[test]
fn a_full_server_refuses_until_one_leaves() {
    run(async {
        let server = Server::with(|config| config.max_connections = 2);
        let ann = server.enter("ann").await;
        let mut bob = server.enter("bob").await;
        let refused = refusal(&server).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "5");
        assert_eq!(server.stats().await["refused"], 1);

        ann.close().await;
        server
            .until(|stats| stats["pools"]["connections"]["free"] == 1)
            .await;
        let _eve = server.enter("eve").await;
        bob.join("tea").await;
    });
}

#[test]
fn a_waiting_client_is_admitted_when_a_slot_is_free() {
    run(async {
        let server = Server::with(|config| {
            config.max_connections = 1;
            config.when_full = WhenFull::Wait;
        });
        let ann = server.enter("ann").await;
        let stream = TcpStream::connect(server.address)
            .await
            .expect("it listens");
        let waiting = tokio::spawn(Client::over(stream, server.request()));
        // The socket of the new client, and the socket of this request.
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 2)
            .await;
        assert!(!waiting.is_finished());
        ann.close().await;
        let mut bob = waiting.await.expect("no panic").expect("an upgrade");
        bob.say(Kind::HELLO, json!({})).await;
        bob.expect(Kind::WELCOME).await;
    });
}

#[test]
fn a_newcomer_does_not_wait_for_ever() {
    run(async {
        let server = Server::with(|config| {
            config.max_connections = 1;
            config.when_full = WhenFull::Wait;
            config.handshake_timeout = Duration::from_millis(500);
        });
        let _ann = server.enter("ann").await;
        let refused = refusal(&server).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "5");
    });
}

#[test]
fn a_newcomer_that_gives_up_leaves_no_trace() {
    run(async {
        let server = Server::with(|config| {
            config.max_connections = 1;
            config.when_full = WhenFull::Wait;
        });
        let ann = server.enter("ann").await;
        let stream = TcpStream::connect(server.address)
            .await
            .expect("it listens");
        let waiting = tokio::spawn(Client::over(stream, server.request()));
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 2)
            .await;
        waiting.abort();
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 1)
            .await;
        ann.close().await;
        let _bob = server.enter("bob").await;
    });
}
