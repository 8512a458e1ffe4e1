//! The drain of a server.

use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_server::config::{Config, WhenFull};
use chat_demo_server::error::ServeError;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::{Server, run};

#[test]
fn a_drain_notifies_closes_and_ends() {
    run(async {
        let server = Server::start();
        let address = server.address;
        let mut ann = server.enter_room("ann", "tea").await;
        let mut silent = server.connect().await;
        server.until(|stats| stats["connections"] == 2).await;
        let ended = server.stop();
        for client in [&mut ann, &mut silent] {
            assert!(client.expect(Kind::BYE).await["reconnect_after_ms"].as_u64() > Some(0));
            client.expect_close(1012).await;
        }
        drop((ann, silent));
        ended.await.expect("no panic").expect("all have gone");
        assert!(
            TcpStream::connect(address).await.is_err(),
            "the port is closed"
        );
    });
}

#[test]
fn what_was_said_before_the_end_arrives() {
    run(async {
        const COUNT: u64 = 100;
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        for number in 0..COUNT {
            ann.publish("tea", &number.to_string()).await;
        }
        server.until(|stats| stats["messages"] == COUNT).await;
        let ended = server.stop();
        for seq in 1..=COUNT {
            assert_eq!(ann.expect(Kind::MESSAGE).await["seq"], seq);
        }
        ann.expect(Kind::BYE).await;
        ann.expect_close(1012).await;
        drop(ann);
        ended.await.expect("no panic").expect("all have gone");
    });
}

#[test]
fn an_idle_socket_does_not_keep_the_server() {
    run(async {
        let server = Server::start();
        let _idle = TcpStream::connect(server.address)
            .await
            .expect("it listens");
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 2)
            .await;
        server
            .stop()
            .await
            .expect("no panic")
            .expect("all have gone");
    });
}

#[test]
fn waiting_client_is_refused_when_the_server_drains() {
    run(async {
        let server = Server::with(|config| {
            config.max_connections = 1;
            config.when_full = WhenFull::Wait;
        });
        let ann = server.enter("ann").await;
        let request = "GET /ws HTTP/1.1\r\nHost: any\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let mut waiting = server.send(request.as_bytes()).await;
        server
            .until(|stats| stats["pools"]["connections"]["waiting"] == 1)
            .await;
        let ended = server.stop();
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).await.expect("text");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 5"), "{answer}");
        assert!(
            answer.ends_with("server shutting down; connect to another\n"),
            "{answer}"
        );
        drop(ann);
        ended.await.expect("no panic").expect("all have gone");
    });
}

#[test]
fn a_client_that_does_not_go_is_counted_at_the_deadline() {
    run(async {
        let server = Server::with(|config| config.drain_timeout = Duration::from_millis(50));
        let ann = server.enter("ann").await;
        let ended = server.stop().await.expect("no panic");
        assert!(
            matches!(ended, Err(ServeError::Drain { left: 1 })),
            "{ended:?}"
        );
        drop(ann);
    });
}

#[test]
fn a_taken_port_is_reported_in_one_line() {
    run(async {
        let server = Server::start();
        let config = Config {
            listen: server.address.into(),
            // Disables limits that other programs could reach.
            max_cpu: 0,
            max_memory: 0,
            ..Config::default()
        };
        let error = chat_demo_server::server::Server::start(config)
            .map(drop)
            .expect_err("it is taken")
            .to_string();
        let expected = format!(
            "cannot listen on {}: Address already in use; choose another with --listen",
            server.address
        );
        assert_eq!(error, expected);
    });
}
