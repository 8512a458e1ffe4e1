//! Sockets before their upgrade, and the clients that they must not block.

use std::net::SocketAddr;
use std::time::Duration;

use chat_demo_server::config::{Config, WhenFull};
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Client, Server, run};
use crate::tls::{HALF_A_HELLO, Secured};

/// Concurrent handshakes.
const PLACES: usize = 4;

/// Sets few slots, and a handshake time-out beyond the patience of [`run`].
fn narrow(config: &mut Config) {
    config.max_handshakes = PLACES;
    config.handshake_timeout = Duration::from_secs(120);
}

/// Returns a socket from a loopback address that has sent some bytes.
async fn socket(server: &Server, from: &str, sent: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from: SocketAddr = format!("{from}:0").parse().expect("an address");
    socket.bind(&from.into()).expect("a loopback address");
    socket.connect(&server.address.into()).expect("it listens");
    socket.set_nonblocking(true).expect("an open socket");
    let mut socket = TcpStream::from_std(socket.into()).expect("a runtime");
    socket.write_all(sent.as_bytes()).await.expect("it is open");
    socket
}

/// Returns many sockets that have sent some bytes.
async fn crowd(server: &Server, count: usize, from: &str, sent: &str) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(socket(server, from, sent).await);
    }
    sockets
}

async fn assert_all_get_in(server: &Server) {
    for path in ["/healthz", "/readyz", "/metrics", "/api/stats"] {
        let reply = server.http(&format!("GET {path} HTTP/1.1")).await;
        assert_eq!(reply.status, 200, "{path}");
    }
    let mut ann = server.enter("ann").await;
    ann.join("tea").await;
}

#[test]
fn silent_sockets_do_not_block_others() {
    run(async {
        let server = Server::with(narrow);
        let _silent = crowd(&server, 200, "127.0.0.1", "").await;
        assert_all_get_in(&server).await;
    });
}

#[test]
fn unfinished_tls_handshakes_do_not_block_others() {
    run(async {
        let secured = Secured::with(narrow);
        let mut halves = Vec::new();
        for _ in 0..30 {
            let mut socket = secured.reach().await;
            socket.write_all(HALF_A_HELLO).await.expect("it is open");
            halves.push(socket);
        }
        assert_eq!(secured.http("GET / HTTP/1.1").await.status, 200);
    });
}

#[test]
fn half_requests_do_not_block_others() {
    run(async {
        let server = Server::with(narrow);
        let _halves = crowd(&server, 30, "127.0.0.1", "GET /healthz HTTP/1.1\r\nHo").await;
        let _halves = crowd(&server, 30, "127.0.0.1", "GET /ws HTTP/1.1\r\nHo").await;
        assert_all_get_in(&server).await;
    });
}

#[test]
fn idle_sockets_do_not_block_others() {
    run(async {
        let server = Server::with(narrow);
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        let _idle = crowd(&server, 30, "127.0.0.1", &request).await;
        assert_all_get_in(&server).await;
    });
}

#[test]
fn one_address_does_not_take_all_handshakes() {
    run(async {
        let server = Server::with(|config| {
            narrow(config);
            config.address_handshakes = 2;
        });
        let _halves = crowd(&server, 10, "127.0.0.2", "GET / HTTP/1.1\r\n").await;
        // Two, and the socket of this request.
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 3)
            .await;
        assert_all_get_in(&server).await;
    });
}

#[test]
fn health_is_served_while_handshakes_take_all_places() {
    run(async {
        let server = Server::with(|config| {
            narrow(config);
            config.max_connections = 1;
            config.when_full = WhenFull::Wait;
        });
        let ann = server.enter("ann").await;
        let mut waiting = Vec::new();
        for _ in 0..PLACES {
            let stream = TcpStream::connect(server.address).await;
            let client = Client::over(stream.expect("it listens"), server.request());
            waiting.push(tokio::spawn(client));
        }
        let full = "chat_pool_free{pool=\"front\"}";
        server.until_figure(full, 0.0).await;
        assert_eq!(server.http("GET /healthz HTTP/1.1").await.status, 200);
        assert_eq!(server.http("GET /readyz HTTP/1.1").await.status, 503);
        ann.close().await;
        for one in waiting {
            one.abort();
        }
    });
}
