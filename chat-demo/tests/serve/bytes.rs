//! Clients that write raw bytes, as no WebSocket library would.

use std::time::Duration;

use chat_demo_client::frame::{Frame, Kind};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Server, read_until, run};

#[test]
fn a_client_may_die_at_any_byte() {
    run(async {
        let server = Server::start();
        let mut bob = server.enter_room("bob", "tea").await;
        let hello = Frame {
            kind: Kind::HELLO,
            payload: b"{}",
        }
        .encode();
        let join = Frame {
            kind: Kind::JOIN,
            payload: br#"{"room":"tea"}"#,
        }
        .encode();
        let stream: Vec<u8> = [hello, join]
            .iter()
            .flat_map(|frame| masked(frame))
            .collect();
        for end in 0..=stream.len() {
            for reset in [false, true] {
                let mut socket = upgraded(&server).await;
                socket.write_all(&stream[..end]).await.expect("it reads");
                if reset {
                    SockRef::from(&socket)
                        .set_linger(Some(Duration::ZERO))
                        .expect("an open socket");
                }
            }
        }
        server
            .until(|stats| {
                stats["connections"] == 1 && stats["pools"]["connections"]["in_flight"] == 1
            })
            .await;
        bob.publish("tea", "hello?").await;
        assert_eq!(bob.expect(Kind::MESSAGE).await["text"], "hello?");
        assert_eq!(bob.join("tea").await["members"], 1);
    });
}

#[test]
fn frames_that_come_with_the_request_are_not_lost() {
    run(async {
        let server = Server::start();
        let hello = Frame {
            kind: Kind::HELLO,
            payload: b"{}",
        }
        .encode();
        let bytes = [request(&server).as_bytes(), &masked(&hello)].concat();
        let mut socket = server.send(&bytes).await;
        let is_welcome = |seen: &[u8]| seen.windows(7).any(|window| window == b"guest-1");
        read_until(&mut socket, is_welcome).await;
    });
}

#[test]
fn each_byte_of_a_websocket_is_counted_and_none_of_its_request() {
    run(async {
        let server = Server::start();
        let hello = Frame {
            kind: Kind::HELLO,
            payload: b"{}",
        }
        .encode();
        let heartbeat = Frame {
            kind: Kind::HEARTBEAT,
            payload: &[],
        }
        .encode();
        // The first arrives with the request, the second separately.
        let bytes = [request(&server).as_bytes(), &masked(&hello)].concat();
        let mut socket = server.send(&bytes).await;
        server.until(|stats| stats["frames_in"] == 1).await;
        let bytes = masked(&heartbeat);
        socket.write_all(&bytes).await.expect("it reads");
        let seen = read_until(&mut socket, |seen| seen.ends_with(&heartbeat)).await;
        let head = seen.windows(4).position(|window| window == b"\r\n\r\n");
        let head = head.expect("an end of the head") + 4;
        let (sent, got) = (masked(&hello).len() + bytes.len(), seen.len() - head);
        server
            .until(|stats| stats["bytes_in"] == sent && stats["bytes_out"] == got)
            .await;
        let metrics = server.http("GET /metrics HTTP/1.1").await.body;
        for line in [
            format!("chat_traffic_in_bytes_total {sent}"),
            format!("chat_traffic_out_bytes_total {got}"),
        ] {
            assert!(metrics.lines().any(|have| have == line), "{line}");
        }
    });
}

fn request(server: &Server) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    )
}

/// Returns a socket after its upgrade.
async fn upgraded(server: &Server) -> TcpStream {
    let mut socket = server.send(request(server).as_bytes()).await;
    let head = read_until(&mut socket, |seen| seen.ends_with(b"\r\n\r\n")).await;
    let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    // The example of RFC 6455.
    assert!(head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    socket
}

/// Returns a short frame as a client sends it. The mask is zero, so the bytes do not change.
fn masked(frame: &[u8]) -> Vec<u8> {
    let len = u8::try_from(frame.len())
        .ok()
        .filter(|len| *len < 126)
        .expect("a short frame");
    [&[0x82, 0x80 | len, 0, 0, 0, 0], frame].concat()
}
