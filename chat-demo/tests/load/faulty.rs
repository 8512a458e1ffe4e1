//! A server of one room that mishandles one message, for all members, in one way.

use std::net::SocketAddr;
use std::sync::Arc;

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// The number of the mishandled message.
const AFFECTED: u64 = 5;

/// How many messages [`Fault::Stall`] takes.
pub(crate) const STALLED: u64 = 20;

/// How it mishandles the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Numbers it and does not deliver it.
    Drop,
    /// Delivers it twice.
    Repeat,
    /// Delivers it after the next.
    Swap,
    /// Delivers it without an ack.
    NoAck,
    /// Closes all connections instead.
    Disconnect,
    /// Handles it, and all that follow, only after [`STALLED`] messages.
    Stall,
}

/// The room: its newest number, a message held back, and the members.
#[derive(Default)]
pub(crate) struct FaultyServer {
    seq: u64,
    held: Option<Message>,
    /// The messages of a stall, with the connections that wait for acks.
    stalled: Vec<(Value, mpsc::UnboundedSender<Message>)>,
    members: Vec<mpsc::UnboundedSender<Message>>,
}

impl FaultyServer {
    pub(crate) async fn start(fault: Fault) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let room = Arc::new(Mutex::new(Self::default()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, fault, room.clone()));
            }
        });
        address
    }

    fn send(&self, message: &Message) {
        for member in &self.members {
            let _ = member.send(message.clone());
        }
    }

    /// Handles a text at once, or together with others once a stall has ended.
    fn publish_late(&mut self, said: Value, from: mpsc::UnboundedSender<Message>) {
        self.stalled.push((said, from));
        let come = self.seq + self.stalled.len() as u64;
        if come < AFFECTED || come == STALLED {
            for (said, from) in std::mem::take(&mut self.stalled) {
                self.publish(Fault::Stall, &said);
                let _ = from.send(self.ack(&said));
            }
        }
    }

    /// Returns the ack of the newest message.
    fn ack(&self, said: &Value) -> Message {
        let ack = json!({ "id": said["id"], "room": said["room"], "seq": self.seq });
        frame(Kind::ACK, &ack)
    }

    /// Numbers a text and delivers it, unless the fault prevents it.
    fn publish(&mut self, fault: Fault, said: &Value) {
        self.seq += 1;
        let message = json!({
            "room": said["room"], "seq": self.seq, "user": "u", "text": said["text"], "ts": 0
        });
        let message = frame(Kind::MESSAGE, &message);
        if self.seq == AFFECTED {
            match fault {
                Fault::Drop => return,
                Fault::Repeat => self.send(&message),
                Fault::Swap => return self.held = Some(message),
                Fault::Disconnect => self.members.clear(),
                Fault::None | Fault::NoAck | Fault::Stall => {}
            }
        }
        self.send(&message);
        if let Some(held) = self.held.take() {
            self.send(&held);
        }
    }
}

async fn serve(stream: TcpStream, fault: Fault, room: Arc<Mutex<FaultyServer>>) {
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let agree = |_: &Request, mut response: Response| {
        let spoken = "chat.json.v1".parse().expect("a header's value");
        response
            .headers_mut()
            .insert("sec-websocket-protocol", spoken);
        Ok(response)
    };
    // The load generator first connects only to check the address.
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await else {
        return;
    };
    let (sender, mut outbox) = mpsc::unbounded_channel();
    // The room has the only lasting sender: when it drops it, the outbox ends.
    let own = sender.downgrade();
    let mut sender = Some(sender);
    loop {
        tokio::select! {
            message = outbox.recv() => match message {
                Some(message) => socket.send(message).await.expect("the client stays"),
                None => return,
            },
            message = socket.next() => {
                let Some(Ok(Message::Binary(message))) = message else { return };
                let said = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
                let payload: Value = serde_json::from_slice(said.payload).unwrap_or_default();
                let mut room = room.lock().await;
                let answer = match said.kind {
                    Kind::HELLO => frame(Kind::WELCOME, &json!({
                        "session": "s", "user": "u", "node": "faulty", "heartbeat_ms": 30_000, "idle_ms": 75_000,
                        "max_payload": 65_536
                    })),
                    Kind::JOIN => {
                        room.members.extend(sender.take());
                        frame(Kind::JOINED, &json!({
                            "room": payload["room"], "seq": room.seq, "members": 1, "recovered": false,
                            "epoch": "e"
                        }))
                    }
                    Kind::PUBLISH => {
                        if fault == Fault::Stall {
                            let own = own.upgrade().expect("the room has it");
                            room.publish_late(payload, own);
                            continue;
                        }
                        room.publish(fault, &payload);
                        if fault == Fault::NoAck && room.seq == AFFECTED {
                            continue;
                        }
                        room.ack(&payload)
                    }
                    _ => continue,
                };
                drop(room);
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn frame(kind: Kind, payload: &Value) -> Message {
    let payload = payload.to_string();
    let payload = payload.as_bytes();
    Message::Binary(Frame { kind, payload }.encode())
}
