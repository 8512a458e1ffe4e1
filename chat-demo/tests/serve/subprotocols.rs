//! A connection speaks the subprotocol that it asks for in `Sec-WebSocket-Protocol`. Clients of all
//! subprotocols share the rooms.

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use chat_demo_client::payload::{
    Ack, Bye, Hello, Join, Joined, Message, Payload, Publish, Welcome,
};
use chat_demo_client::subprotocol::Subprotocol;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::Message as WsMessage;

use crate::harness::{Client, Server, run};

pub(crate) async fn connect(server: &Server, subprotocol: Subprotocol) -> Client {
    let mut request = server.request();
    let name = HeaderValue::from_static(subprotocol.name());
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
    let stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    Client::over(stream, request).await.expect("an upgrade")
}

/// A client that speaks Protobuf.
pub(crate) struct Binary(pub(crate) Client);

impl Binary {
    pub(crate) async fn enter(server: &Server, name: &str) -> Self {
        let mut client = Self(connect(server, Subprotocol::Protobuf).await);
        let hello = Hello {
            name: Some(name.to_owned()),
            token: None,
        };
        client.say(&hello).await;
        assert_eq!(client.receive::<Welcome>().await.user, name);
        client
    }

    pub(crate) async fn join(&mut self, room: &str, seen: Option<(u64, String)>) -> Joined {
        let (after, epoch) = seen.unzip();
        self.say(&Join {
            room: room.to_owned(),
            after,
            epoch,
        })
        .await;
        self.receive().await
    }

    pub(crate) async fn say<P: Payload>(&mut self, payload: &P) {
        let payload = payload.encode_to_vec();
        let frame = Frame {
            kind: P::KIND,
            payload: &payload,
        }
        .encode();
        self.0.send(WsMessage::Binary(frame)).await;
    }

    pub(crate) async fn receive<P: Payload>(&mut self) -> P {
        let message = self
            .0
            .0
            .next()
            .await
            .expect("not the end")
            .expect("WebSocket");
        let WsMessage::Binary(message) = message else {
            panic!("not a frame: {message:?}")
        };
        let frame = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
        assert_eq!(frame.kind, P::KIND);
        P::decode(frame.payload).expect("Protobuf")
    }
}

/// A client with text messages, as typed in a console.
struct Typist(Client);

impl Typist {
    async fn enter(server: &Server, name: &str) -> Self {
        let mut client = Self(connect(server, Subprotocol::Text).await);
        client.say(json!({ "type": "hello", "name": name })).await;
        assert_eq!(client.receive().await["user"], name);
        client
    }

    async fn say(&mut self, message: Value) {
        self.0.send(WsMessage::text(message.to_string())).await;
    }

    async fn receive(&mut self) -> Value {
        let message = self
            .0
            .0
            .next()
            .await
            .expect("not the end")
            .expect("WebSocket");
        let WsMessage::Text(message) = message else {
            panic!("not a text: {message:?}")
        };
        serde_json::from_str(&message).expect("JSON")
    }
}

#[test]
fn three_subprotocols_share_a_room() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter_room("ann", "tea").await;
        let mut bob = Binary::enter(&server, "bob").await;
        assert_eq!(bob.join("tea", None).await.members, 2);
        let mut cat = Typist::enter(&server, "cat").await;
        cat.say(json!({ "type": "join", "room": "tea" })).await;
        let joined = cat.receive().await;
        assert_eq!(
            (&joined["type"], &joined["members"]),
            (&json!("joined"), &json!(3))
        );

        let publish = Publish {
            room: "tea".into(),
            text: "föö".into(),
            id: Some("1".into()),
            key: None,
        };
        bob.say(&publish).await;
        let received = ann.expect(Kind::MESSAGE).await;
        assert_eq!(
            (&received["user"], &received["text"]),
            (&json!("bob"), &json!("föö"))
        );
        let said: Message = bob.receive().await;
        assert_eq!((said.seq, said.text.as_str()), (1, "föö"));
        let ack = Ack {
            id: "1".into(),
            room: "tea".into(),
            seq: 1,
        };
        assert_eq!(bob.receive::<Ack>().await, ack);
        let typed = cat.receive().await;
        assert_eq!(
            (&typed["type"], &typed["ts"]),
            (&json!("message"), &received["ts"])
        );

        // The field "type" need not be the first.
        cat.say(json!({ "room": "tea", "text": "bar", "type": "publish" }))
            .await;
        assert_eq!(cat.receive().await["seq"], 2);
        assert_eq!(ann.expect(Kind::MESSAGE).await["user"], "cat");
        assert_eq!(bob.receive::<Message>().await.user, "cat");
    });
}

#[test]
fn missed_messages_come_in_the_clients_subprotocol() {
    run(async {
        let server = Server::start();
        let mut ann = server.enter("ann").await;
        let joined = ann.join("tea").await;
        let epoch = joined["epoch"].as_str().expect("a text").to_owned();
        for text in ["one", "two"] {
            ann.publish("tea", text).await;
            ann.expect(Kind::MESSAGE).await;
        }
        let mut bob = Binary::enter(&server, "bob").await;
        let joined = bob.join("tea", Some((0, epoch))).await;
        assert_eq!((joined.seq, joined.recovered), (2, true));
        let missed: [Message; 2] = [bob.receive().await, bob.receive().await];
        assert_eq!(
            missed.map(|message| (message.seq, message.text)),
            [(1, "one".into()), (2, "two".into())]
        );
        let mut cat = Typist::enter(&server, "cat").await;
        cat.say(json!({ "type": "join", "room": "tea" })).await;
        cat.receive().await;
        cat.say(json!({ "type": "history", "room": "tea", "limit": 1 }))
            .await;
        assert_eq!(cat.receive().await["text"], "two");
    });
}

#[test]
fn heartbeats_are_answered_in_each_subprotocol() {
    run(async {
        let server = Server::start();
        let mut bob = Binary::enter(&server, "bob").await;
        bob.0.say(Kind::HEARTBEAT, Value::Null).await;
        bob.0.expect(Kind::HEARTBEAT).await;
        let mut cat = Typist::enter(&server, "cat").await;
        cat.say(json!({ "type": "heartbeat" })).await;
        assert_eq!(cat.receive().await, json!({ "type": "heartbeat" }));
    });
}

#[test]
fn a_bad_payload_is_reported_and_skipped() {
    run(async {
        let server = Server::start();
        let mut cat = Typist::enter(&server, "cat").await;
        for (typed, code) in [
            ("hello?", "bad_payload"),
            ("{}", "bad_payload"),
            (r#"{"type":7}"#, "bad_payload"),
            (r#"{"type":"jump"}"#, "unknown_type"),
            (r#"{"type":"join"}"#, "bad_payload"),
        ] {
            cat.0.send(WsMessage::text(typed)).await;
            let error = cat.receive().await;
            assert_eq!(
                (&error["type"], &error["code"]),
                (&json!("error"), &json!(code)),
                "{typed}"
            );
        }
        cat.say(json!({ "type": "join", "room": "tea" })).await;
        assert_eq!(cat.receive().await["type"], "joined");
    });
}

#[test]
fn bad_protobuf_is_reported_and_skipped() {
    run(async {
        let server = Server::start();
        let mut bob = Binary::enter(&server, "bob").await;
        let frame = Frame {
            kind: Kind::JOIN,
            payload: &[0xFF; 5],
        }
        .encode();
        bob.0.send(WsMessage::Binary(frame)).await;
        let error: chat_demo_client::payload::Error = bob.receive().await;
        assert_eq!(
            error.code(),
            chat_demo_client::payload::ErrorCode::BadPayload
        );
        assert_eq!(bob.join("tea", None).await.members, 1);
    });
}

#[test]
fn text_client_may_not_send_frames() {
    run(async {
        let server = Server::start();
        let mut cat = Typist::enter(&server, "cat").await;
        cat.0
            .0
            .send(WsMessage::binary(vec![0x55, 0xAA]))
            .await
            .expect("it reads");
        cat.0.expect_close(1003).await;
    });
}

#[test]
fn a_drain_notifies_each_client_in_its_subprotocol() {
    run(async {
        let server = Server::start();
        let mut bob = Binary::enter(&server, "bob").await;
        let mut cat = Typist::enter(&server, "cat").await;
        let stopped = server.stop();
        assert!(bob.receive::<Bye>().await.reconnect_after_ms > 0);
        assert_eq!(cat.receive().await["type"], "bye");
        bob.0.expect_close(1012).await;
        cat.0.expect_close(1012).await;
        stopped.await.expect("no panic").expect("drained");
    });
}

#[test]
fn the_schema_is_served() {
    run(async {
        let server = Server::start();
        let answer = server.http("GET /chat.proto HTTP/1.1").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, chat_demo_client::PROTO)
        );
    });
}
