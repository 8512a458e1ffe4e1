//! The memory of a connection.

use std::io::Write as _;
use std::net;

use chat_demo_client::subprotocol::Subprotocol;
use tokio::net::TcpListener;
use tokio_util::either::Either;

use super::*;
use crate::outbox::Limits;

/// The server's end of a client's connection.
async fn accept(listener: TcpListener) -> Socket {
    let (stream, _) = listener.accept().await.expect("it has come");
    let limits = Limits {
        frames: 16,
        bytes: 1 << 20,
        patience: Duration::ZERO,
    };
    let outbox = Arc::new(Outbox::new(limits, Subprotocol::default()));
    let stream = Either::Left(stream);
    let duct = Duct::new(stream, Bytes::new(), outbox, Traffic::default());
    Socket::new(duct, 1 << 20)
}

/// Reads a message, and then all that is there to be read; its length.
async fn read(socket: &mut Socket) -> usize {
    let message = poll_fn(|cx| socket.poll_message(cx)).await;
    let message = message.expect("not the end").expect("WebSocket");
    poll_fn(|cx| {
        assert!(socket.poll_message(cx).is_pending(), "there is more");
        Poll::Ready(())
    })
    .await;
    message.into_data().len()
}

/// A binary message as a client sends it, masked with zeros.
fn message(len: u16) -> Vec<u8> {
    let mut bytes = vec![0x82, 0x80 | 0x7E];
    bytes.extend(len.to_be_bytes());
    bytes.resize(bytes.len() + 4 + usize::from(len), 0);
    bytes
}

#[test]
fn a_large_message_leaves_no_large_buffer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut client = net::TcpStream::connect(address).expect("it listens");
    let mut socket = runtime.block_on(accept(listener));
    for len in [60_000, 200, 60_000, 200] {
        let bytes = message(len);
        // Another thread's memory is not counted.
        let (mut sends, sent) = (client.try_clone().expect("an open socket"), bytes.clone());
        let sending = std::thread::spawn(move || sends.write_all(&sent));
        let used = allocation_counter::measure(|| {
            assert_eq!(runtime.block_on(read(&mut socket)), usize::from(len));
        });
        sending.join().expect("no panic").expect("it is read");
        assert!(used.bytes_current < 4096, "{len} bytes leave {used:?}");
    }
    client.flush().expect("an open socket");
}
