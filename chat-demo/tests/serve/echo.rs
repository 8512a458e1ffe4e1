//! The echo for conformance tests: the transport without the protocol.

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::harness::{Client, Server, run};

fn echo() -> Server {
    Server::with(|config| config.echo = true)
}

impl Client {
    async fn next(&mut self) -> Message {
        let message = self.0.next().await.expect("not the end");
        message.expect("WebSocket")
    }
}

/// A fragment of a message.
fn fragment(data: Data, content: impl Into<Bytes>, last: bool) -> Message {
    Message::Frame(Frame::message(content, OpCode::Data(data), last))
}

#[test]
fn stored_messages_are_read_unchanged() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            for message in [
                Message::text("é".repeat(len)),
                Message::binary(vec![7; len]),
            ] {
                client.send(message.clone()).await;
                assert_eq!(client.next().await, message);
            }
        }
        client.close().await;
        assert_eq!(server.stats().await["connections"], 0, "no chat");
    });
}

#[test]
fn messages_that_arrive_together_come_back_in_order() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        for number in 0..1000 {
            let message = Message::text(number.to_string());
            client.0.feed(message).await.expect("the server reads");
        }
        client.0.flush().await.expect("the server reads");
        for number in 0..1000 {
            assert_eq!(client.next().await, Message::text(number.to_string()));
        }
    });
}

#[test]
fn sixteen_mebibytes_come_back() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        client.0 = {
            let config = WebSocketConfig::default().max_frame_size(Some(1 << 25));
            let stream = client.0.into_inner();
            WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await
        };
        let message: Vec<u8> = (0..1_u32 << 22).flat_map(u32::to_le_bytes).collect();
        let message = Message::binary(message);
        client.send(message.clone()).await;
        assert!(client.next().await == message);
    });
}

#[test]
fn fragments_are_echoed_as_one_message() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        let [first, second] = [&b"caf\xC3"[..], &b"\xA9!"[..]];
        client.send(fragment(Data::Text, first, false)).await;
        client.send(Message::Ping("between".into())).await;
        client.send(fragment(Data::Continue, "", false)).await;
        client.send(fragment(Data::Continue, second, true)).await;
        assert_eq!(client.next().await, Message::Pong("between".into()));
        assert_eq!(client.next().await, Message::text("café!"));
    });
}

#[test]
fn a_pong_carries_what_the_ping_did() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        for content in [Bytes::new(), vec![0xFE; 125].into()] {
            client.send(Message::Ping(content.clone())).await;
            assert_eq!(client.next().await, Message::Pong(content));
        }
    });
}

#[test]
fn a_close_is_answered_with_its_own_code() {
    run(async {
        let server = echo();
        for code in [1000, 1001, 1011, 3000, 4999] {
            let mut client = server.connect().await;
            let goodbye = CloseFrame {
                code: code.into(),
                reason: "so long".into(),
            };
            client.send(Message::Close(Some(goodbye.clone()))).await;
            assert_eq!(client.next().await, Message::Close(Some(goodbye)));
        }
        let mut client = server.connect().await;
        client.send(Message::Close(None)).await;
        assert_eq!(client.next().await, Message::Close(None));
        assert!(client.0.next().await.is_none());
    });
}

#[test]
fn websocket_errors_close_with_their_code() {
    run(async {
        let server = echo();
        let cases: [(&[u8], u16); 9] = [
            // Text that is not UTF-8: whole, cut short at its end, and as the reason of a close.
            (b"\x81\x82\0\0\0\0\xC3\x28", 1007),
            (b"\x81\x81\0\0\0\0\xC3", 1007),
            (b"\x88\x83\0\0\0\0\x03\xE8\xFF", 1007),
            // A reserved bit, a reserved opcode, no mask, half a ping, half a close code.
            (b"\xC1\x80\0\0\0\0", 1002),
            (b"\x83\x80\0\0\0\0", 1002),
            (b"\x81\x00", 1002),
            (b"\x09\x80\0\0\0\0", 1002),
            (b"\x88\x81\0\0\0\0\x03", 1002),
            // One byte over the limit.
            (b"\x82\xFF\0\0\0\0\x02\0\0\x01\0\0\0\0", 1009),
        ];
        for (bytes, code) in cases {
            let mut client = server.connect().await;
            let stream = client.0.get_mut();
            stream.write_all(bytes).await.expect("the server reads");
            client.expect_close(code).await;
        }
        let drops = &server.stats().await["drops"];
        let counts = ["not_utf8", "bad_frame", "too_large"].map(|reason| drops[reason].clone());
        assert_eq!(counts, [3, 5, 1]);
    });
}

#[test]
fn sender_that_does_not_read_is_delayed_and_loses_nothing() {
    /// More than all buffers on the way hold.
    const MANY: usize = 4096;

    run(async {
        let server = echo();
        let mut client = server.connect_with_small_buffer().await;
        let message = |number: usize| {
            let mut content = vec![0; 16 * 1024];
            content[..8].copy_from_slice(&number.to_le_bytes());
            Message::binary(content)
        };
        let mut sent = 0;
        loop {
            if client.0.flush().now_or_never().is_some() {
                assert!(sent < MANY, "the server takes all there is");
                let fed = client.0.feed(message(sent)).now_or_never();
                fed.expect("there is room").expect("the server is there");
                sent += 1;
                continue;
            }
            // The server is idle after two answers without a read in between.
            let before = server.stats().await["frames_in"].clone();
            let after = server.stats().await["frames_in"].clone();
            if before == after && client.0.flush().now_or_never().is_none() {
                break;
            }
        }
        let (mut sink, mut stream) = client.0.split();
        let read = async {
            for number in 0..sent {
                let echo = stream.next().await.expect("not the end");
                assert!(echo.expect("WebSocket") == message(number), "{number}");
            }
        };
        let (flushed, ()) = tokio::join!(sink.flush(), read);
        flushed.expect("the server reads");
    });
}

#[test]
fn endless_fragments_leave_room_for_other_clients() {
    run(async {
        let server = Server::with(|config| {
            config.echo = true;
            config.threads = Some(1);
        });
        let mut endless = server.connect().await;
        endless.send(fragment(Data::Binary, "", false)).await;
        let mut stream = endless.0.into_inner();
        let flood = tokio::spawn(async move {
            let fragments = [0, 0x80, 0, 0, 0, 0].repeat(100_000);
            while stream.write_all(&fragments).await.is_ok() {}
        });
        let mut other = server.connect().await;
        for number in 0..100 {
            let message = Message::text(number.to_string());
            other.send(message.clone()).await;
            assert_eq!(other.next().await, message);
        }
        flood.abort();
    });
}

#[test]
fn a_drain_sends_the_clients_away_and_waits_for_them() {
    run(async {
        let server = echo();
        let mut client = server.connect().await;
        client.send(Message::text("last")).await;
        assert_eq!(client.next().await, Message::text("last"));
        let stopping = server.stop();
        client.expect_close(1012).await;
        drop(client);
        stopping.await.expect("no panic").expect("all have gone");
    });
}
