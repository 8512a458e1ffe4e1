//! Accepted messages are acknowledged before the connection ends.

use chat_demo_client::frame::Kind;
use futures_util::StreamExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{Client, Server, run};

const COUNT: u64 = 50;

/// Publishes at once, without reading.
async fn publish_all(client: &mut Client) {
    for number in 0..COUNT {
        let publish = json!({ "room": "tea", "text": "hi", "id": number.to_string() });
        client.say(Kind::PUBLISH, publish).await;
    }
}

/// Returns the acknowledged numbers up to the end, and the close code.
async fn acked_to_the_end(client: &mut Client) -> (Vec<u64>, u16) {
    let mut acked = Vec::new();
    loop {
        match client
            .0
            .next()
            .await
            .expect("not the end")
            .expect("WebSocket")
        {
            Message::Close(Some(close)) => return (acked, close.code.into()),
            Message::Binary(message) => {
                if let Some(seq) = ack(&message) {
                    acked.push(seq);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn ack(message: &[u8]) -> Option<u64> {
    use chat_demo_client::frame::{Frame, MAX_PAYLOAD};
    let frame = Frame::decode(message, MAX_PAYLOAD).expect("one frame");
    let payload: serde_json::Value = serde_json::from_slice(frame.payload).expect("JSON");
    (frame.kind == Kind::ACK).then(|| payload["seq"].as_u64().expect("a number"))
}

#[test]
fn publishes_before_a_goodbye_are_acknowledged() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        for data in [None, Some(folder.path().join("chat.redb"))] {
            let server = Server::with(|config| config.data = data);
            let mut ann = server.enter_room("ann", "tea").await;
            publish_all(&mut ann).await;
            let code = CloseCode::Normal;
            let reason = "enough".into();
            ann.send(Message::Close(Some(CloseFrame { code, reason })))
                .await;
            let expected = (1..=COUNT).collect();
            assert_eq!(acked_to_the_end(&mut ann).await, (expected, 1000));
        }
    });
}

#[test]
fn accepted_publishes_are_acknowledged_before_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = Server::with(|config| config.data = Some(path.clone()));
        let mut ann = server.enter_room("ann", "tea").await;
        publish_all(&mut ann).await;
        let ended = server.stop();
        let (acked, code) = acked_to_the_end(&mut ann).await;
        assert_eq!(code, 1012);
        drop(ann);
        ended.await.expect("no panic").expect("all have gone");
        // Each kept message was acknowledged, so the client knows all of them.
        let server = Server::with(|config| config.data = Some(path));
        let kept = server.enter("bob").await.join("tea").await["seq"].as_u64();
        assert_eq!(Some(acked.len() as u64), kept);
        assert!(
            acked.iter().copied().eq(1..=acked.len() as u64),
            "{acked:?}"
        );
    });
}
