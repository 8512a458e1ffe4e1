//! Malformed upgrade requests, and pages of foreign origins.

use crate::harness::{Server, read_until, run};

/// The headers of an upgrade besides its first line and its host.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Returns the status for a request, and the first words of the body.
async fn answer(server: &Server, request: &str) -> (u16, String) {
    let mut socket = server.send(request.as_bytes()).await;
    // Read only the head: an upgraded connection stays open.
    let is_head = |seen: &[u8]| seen.windows(4).any(|bytes| bytes == b"\r\n\r\n");
    let answer = read_until(&mut socket, is_head).await;
    let answer = String::from_utf8(answer).expect("text");
    let status = answer.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), answer)
}

async fn status(server: &Server, request: &str) -> u16 {
    answer(server, request).await.0
}

#[test]
fn an_upgrade_names_one_host_in_http_1_1() {
    run(async {
        let server = Server::start();
        let own = format!("Host: {}\r\n", server.address);
        let good = format!("GET /ws HTTP/1.1\r\n{own}{UPGRADE}\r\n");
        assert_eq!(status(&server, &good).await, 101);
        let absolute = format!(
            "GET http://{}/ws HTTP/1.1\r\n{own}{UPGRADE}\r\n",
            server.address
        );
        assert_eq!(status(&server, &absolute).await, 101);
        for wrong in [
            format!("GET /ws HTTP/1.0\r\n{own}{UPGRADE}\r\n"),
            format!("GET /ws HTTP/1.1\r\n{UPGRADE}\r\n"),
            format!("GET /ws HTTP/1.1\r\n{own}Host: localhost\r\n{UPGRADE}\r\n"),
            format!("GET /ws HTTP/1.1\r\nHost: \r\n{UPGRADE}\r\n"),
            format!("GET /ws HTTP/1.1\r\nHost: a b\r\n{UPGRADE}\r\n"),
            format!("GET /ws HTTP/1.1\r\nHost: ann@localhost\r\n{UPGRADE}\r\n"),
        ] {
            assert_eq!(status(&server, &wrong).await, 400, "{wrong}");
        }
        server
            .until_figure("chat_handshakes_refused_total{reason=\"host\"}", 5.0)
            .await;
        server
            .until_figure("chat_handshakes_refused_total{reason=\"version\"}", 1.0)
            .await;
    });
}

#[test]
fn other_requests_name_one_host_as_well_unless_they_are_old() {
    run(async {
        let server = Server::start();
        for path in ["/", "/healthz", "/metrics"] {
            let two = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n");
            assert_eq!(status(&server, &two).await, 400, "{path}");
            let none = format!("GET {path} HTTP/1.1\r\n\r\n");
            assert_eq!(status(&server, &none).await, 400, "{path}");
            // A health check of a load balancer.
            let old = format!("GET {path} HTTP/1.0\r\n\r\n");
            assert_eq!(status(&server, &old).await, 200, "{path}");
        }
    });
}

#[test]
fn a_request_with_a_body_is_not_upgraded() {
    run(async {
        let server = Server::start();
        let head = format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{UPGRADE}", server.address);
        for body in [
            "Content-Length: 5\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let (status, answer) = answer(&server, &format!("{head}{body}")).await;
            assert_eq!(status, 400, "{answer}");
            let head = answer.to_ascii_lowercase();
            assert!(head.contains("connection: close"), "{answer}");
        }
        let empty = format!("{head}Content-Length: 0\r\n\r\n");
        assert_eq!(status(&server, &empty).await, 101);
    });
}

#[test]
fn unique_headers_are_refused_twice() {
    run(async {
        let server = Server::start();
        let own = server.address;
        let head = format!("GET /ws HTTP/1.1\r\nHost: {own}\r\n{UPGRADE}");
        for (twice, wanted) in [
            ("Sec-WebSocket-Version: 13\r\n".to_owned(), 426),
            (
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n".to_owned(),
                400,
            ),
            (format!("Origin: http://{own}\r\n").repeat(2), 403),
        ] {
            let request = format!("{head}{twice}\r\n");
            assert_eq!(status(&server, &request).await, wanted, "{twice}");
        }
    });
}

#[test]
fn a_foreign_name_for_this_machine_is_not_the_server_s_own() {
    run(async {
        let ask = async |server: &Server, host: &str, path: &str, more: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
            status(server, &request).await
        };
        let from = |host: &str| format!("Origin: http://{host}\r\n{UPGRADE}");
        let server = Server::start();
        let port = server.address.port();
        let (own, foreign) = (format!("localhost:{port}"), format!("evil.example:{port}"));
        assert_eq!(ask(&server, &own, "/ws", &from(&own)).await, 101);
        assert_eq!(ask(&server, &foreign, "/ws", &from(&foreign)).await, 403);
        // A program that is no browser may use any name for the server.
        assert_eq!(ask(&server, &foreign, "/ws", UPGRADE).await, 101);
        // A page whose name is rebound sends no Origin to that name.
        for path in ["/metrics", "/api/stats", "/api/rooms/tea/events"] {
            assert_eq!(ask(&server, &own, path, "").await, 200, "{path}");
            assert_eq!(ask(&server, &foreign, path, "").await, 403, "{path}");
        }
        // Behind a proxy that keeps the name.
        let proxied = Server::with(|config| {
            config.allow_origin = vec!["https://chat.example".to_owned()];
        });
        let origin = format!("Origin: https://chat.example\r\n{UPGRADE}");
        assert_eq!(ask(&proxied, "chat.example", "/ws", &origin).await, 101);
        assert_eq!(ask(&proxied, "chat.example", "/metrics", "").await, 200);
    });
}
