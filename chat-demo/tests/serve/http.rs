//! HTTP paths and methods.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::harness::{Client, Server, run};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// Returns the status of an upgrade with a header set.
pub(crate) async fn status(server: &Server, header: &'static str, value: &str) -> u16 {
    let mut request: Request = server.request();
    request.headers_mut().insert(
        header,
        HeaderValue::from_str(value).expect("a header's value"),
    );
    let stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    match Client::over(stream, request).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        // The library itself checks the answer after a 101.
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn pages_and_health() {
    run(async {
        let server = Server::start();
        let page = server.http("GET / HTTP/1.1").await;
        assert_eq!(page.status, 200);
        assert!(
            page.head.contains("content-type: text/html"),
            "{}",
            page.head
        );
        assert!(page.body.contains("</html>"));
        let health = server.http("GET /healthz HTTP/1.1").await;
        assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
        let head = server.http("HEAD / HTTP/1.1").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    });
}

#[test]
fn a_server_is_ready_while_it_accepts_connections() {
    run(async {
        let server = Server::with(|config| config.max_connections = 1);
        let ready = server.http("GET /readyz HTTP/1.1").await;
        assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
        let ann = server.enter("ann").await;
        let full = server.http("GET /readyz HTTP/1.1").await;
        assert_eq!(
            (full.status, full.body.as_str()),
            (503, "all connections are taken\n")
        );
        ann.close().await;
        while server.http("GET /readyz HTTP/1.1").await.status != 200 {}
    });
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    run(async {
        let server = Server::start();
        assert_eq!(server.http("GET /nothing HTTP/1.1").await.status, 404);
        for path in ["/", "/ws", "/healthz", "/readyz", "/metrics", "/api/stats"] {
            let answer = server.http(&format!("POST {path} HTTP/1.1")).await;
            assert_eq!(answer.status, 405, "{path}");
            assert!(answer.head.contains("allow: get"), "{}", answer.head);
        }
    });
}

#[test]
fn only_a_websocket_handshake_is_upgraded() {
    run(async {
        let server = Server::start();
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13";
        let plain = server.http("GET /ws HTTP/1.1").await;
        assert_eq!(plain.status, 426);
        assert!(
            plain.head.contains("sec-websocket-version: 13"),
            "{}",
            plain.head
        );
        let other = server
            .http(&format!(
                "GET /ws HTTP/1.1\r\n{}\r\n{KEY}",
                upgrade.replace("13", "8")
            ))
            .await;
        assert_eq!(other.status, 426);
        for key in [
            "",
            "Sec-WebSocket-Key: short",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA",
        ] {
            let line = format!("GET /ws HTTP/1.1\r\n{upgrade}\r\n{key}");
            let answer = server.http(line.trim_end()).await;
            assert_eq!(answer.status, 400, "{key}");
        }
    });
}

#[test]
fn subprotocols_are_chosen_or_refused() {
    run(async {
        let server = Server::start();
        assert_eq!(
            status(&server, "sec-websocket-protocol", "chat.json.v1").await,
            101
        );
        assert_eq!(
            status(&server, "sec-websocket-protocol", "soap, chat.json.v1").await,
            101
        );
        assert_eq!(status(&server, "sec-websocket-protocol", "soap").await, 400);
        let refused = server
            .http(&format!(
                "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{KEY}\r\n\
                 Sec-WebSocket-Protocol: soap"
            ))
            .await;
        assert!(refused.body.contains("chat.json.v1"), "{}", refused.body);
    });
}

#[test]
fn pages_of_other_origins_are_refused_unless_allowed() {
    run(async {
        let server =
            Server::with(|config| config.allow_origin = vec!["https://friend.example".to_owned()]);
        let own = format!("http://{}", server.address);
        assert_eq!(status(&server, "origin", &own).await, 101);
        assert_eq!(
            status(&server, "origin", "https://friend.example").await,
            101
        );
        for foreign in [
            "https://evil.example",
            "http://friend.example",
            "null",
            "https://friend.example.evil",
        ] {
            assert_eq!(status(&server, "origin", foreign).await, 403, "{foreign}");
        }
        let open = Server::with(|config| config.allow_any_origin = true);
        assert_eq!(status(&open, "origin", "https://evil.example").await, 101);
    });
}
