//! With `--data`, acknowledged messages survive crashes and restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chat_demo_client::frame::{Frame, Kind, MAX_PAYLOAD};
use chat_demo_server::error::ServeError;
use chat_demo_server::{config, server};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Server, run};
use crate::process::Process;

fn on(path: &Path) -> Server {
    Server::with(|config| config.data = Some(path.to_owned()))
}

/// Returns texts by number, as the server has them: the newest page first.
async fn history(client: &mut Client, room: &str) -> BTreeMap<u64, String> {
    let newest = client.join(room).await["seq"].as_u64().expect("a number");
    let mut known = BTreeMap::new();
    let mut before = newest + 1;
    while before > 1 {
        let page = json!({ "room": room, "before": before, "limit": 1000 });
        client.say(Kind::HISTORY, page).await;
        while !known.contains_key(&(before - 1)) {
            let message = client.expect(Kind::MESSAGE).await;
            let text = message["text"].as_str().expect("a text").to_owned();
            known.insert(message["seq"].as_u64().expect("a number"), text);
        }
        before = *known.first_key_value().expect("a page").0;
    }
    known
}

/// Publishes until the connection breaks. Sends each acknowledged text with its number to a
/// channel.
async fn publish_on_and_on(
    client: Client,
    name: usize,
    acked: mpsc::UnboundedSender<(u64, String)>,
) {
    let (mut to, mut from) = client.0.split();
    let publish = async {
        for count in 0.. {
            let text = format!("{name}-{count}");
            let payload = json!({ "room": "tea", "text": text, "id": text }).to_string();
            let frame = Frame {
                kind: Kind::PUBLISH,
                payload: payload.as_bytes(),
            }
            .encode();
            if to.send(Message::Binary(frame)).await.is_err() {
                break;
            }
        }
    };
    let listen = async {
        while let Some(Ok(Message::Binary(message))) = from.next().await {
            let frame = Frame::decode(&message, MAX_PAYLOAD).expect("one frame");
            if frame.kind == Kind::ACK {
                let ack: Value = serde_json::from_slice(frame.payload).expect("JSON");
                let text = ack["id"].as_str().expect("a text").to_owned();
                let _ = acked.send((ack["seq"].as_u64().expect("a number"), text));
            }
        }
    };
    tokio::join!(publish, listen);
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let args = [
            "--data",
            path.to_str().expect("text"),
            "--history",
            "100000",
            "--outbox-frames",
            "100000",
        ];
        let mut all = BTreeMap::new();
        for round in 0..3 {
            let server = Process::serve(&args);
            let (sender, mut acked) = mpsc::unbounded_channel();
            let mut publishing = Vec::new();
            for client in 0..4 {
                let name = round * 10 + client;
                let client = server.enter_room(&name.to_string(), "tea").await;
                publishing.push(tokio::spawn(publish_on_and_on(
                    client,
                    name,
                    sender.clone(),
                )));
            }
            drop(sender);
            let enough = all.len() + 200;
            while all.len() < enough {
                let (seq, text) = acked.recv().await.expect("it goes on and on");
                assert_eq!(all.insert(seq, text), None, "{seq} was given twice");
            }
            server.kill();
            for publishing in publishing {
                publishing.await.expect("no panic");
            }
            // Messages that were under way at the kill count as well.
            while let Some((seq, text)) = acked.recv().await {
                assert_eq!(all.insert(seq, text), None, "{seq} was given twice");
            }

            let server = Process::serve(&args);
            let mut reader = server.enter_room("reader", "tea").await;
            let known = history(&mut reader, "tea").await;
            let numbers = known.keys().copied();
            assert!(numbers.eq(1..=known.len() as u64), "there are gaps");
            for (seq, text) in &all {
                assert_eq!(known.get(seq), Some(text), "{seq} was acknowledged");
            }
            all = known;
            server.kill();
        }
    });
}

#[test]
fn a_restart_continues_the_numbers() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = on(&path);
        let mut ann = server.enter_room("ann", "tea").await;
        for text in ["one", "two"] {
            ann.publish("tea", text).await;
            assert_eq!(ann.expect(Kind::MESSAGE).await["text"], text);
        }
        let epoch = ann.join("tea").await["epoch"].take();
        server.stop().await.expect("no panic").expect("drained");

        let server = on(&path);
        let mut bob = server.enter("bob").await;
        let join = json!({ "room": "tea", "after": 1, "epoch": epoch });
        bob.say(Kind::JOIN, join).await;
        let joined = bob.expect(Kind::JOINED).await;
        assert_eq!(
            (&joined["seq"], &joined["recovered"]),
            (&json!(2), &json!(true))
        );
        let missed = bob.expect(Kind::MESSAGE).await;
        assert_eq!(
            (&missed["user"], &missed["text"]),
            (&json!("ann"), &json!("two"))
        );
        bob.say(
            Kind::PUBLISH,
            json!({ "room": "tea", "text": "three", "id": "x" }),
        )
        .await;
        assert_eq!(bob.expect(Kind::MESSAGE).await["seq"], 3);
        assert_eq!(bob.expect(Kind::ACK).await["seq"], 3);
    });
}

#[test]
fn a_file_serves_one_server() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        let server = on(&path);
        let config = config::Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            data: Some(path.clone()),
            // Disables limits that other programs could reach.
            max_cpu: 0,
            max_memory: 0,
            ..config::Config::default()
        };
        let error = server::Server::start(config)
            .map(drop)
            .expect_err("it is taken");
        assert!(matches!(error, ServeError::Data { .. }));
        assert!(error.to_string().contains("--data"), "{error}");
        drop(server);
    });
}

/// Limits the files of a process to this many bytes.
fn limit_files(process: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    let process = process.to_string();
    let set = Command::new("prlimit")
        .args(["--pid", &process, &limit])
        .status();
    assert!(set.expect("util-linux is there").success());
}

#[test]
fn a_full_disk_fails_only_publishes() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.redb");
        // A file that cannot grow acts like a full disk, once its signal is ignored.
        let serve = r#"trap "" XFSZ; exec "$0" --listen 127.0.0.1:0 --data "$1""#;
        let server = Process::start(
            Command::new("sh")
                .args(["-c", serve, env!("CARGO_BIN_EXE_chat-demo")])
                .arg(&path),
        );
        let mut ann = server.enter_room("ann", "tea").await;
        let publish = async |client: &mut Client, id: u64| {
            let text = "x".repeat(60_000);
            client
                .say(
                    Kind::PUBLISH,
                    json!({ "room": "tea", "text": text, "id": id.to_string() }),
                )
                .await;
            loop {
                match client.receive().await {
                    (Kind::MESSAGE, _) => {}
                    (Kind::ACK, ack) => return Ok(ack["seq"].as_u64().expect("a number")),
                    (kind, error) => {
                        assert_eq!((kind, &error["id"]), (Kind::ERROR, &json!(id.to_string())));
                        return Err(error["code"].as_str().expect("a code").to_owned());
                    }
                }
            }
        };
        assert_eq!(publish(&mut ann, 1).await, Ok(1));
        limit_files(server.id(), "4000000");
        let mut kept = 1;
        let refused = loop {
            match publish(&mut ann, kept + 1).await {
                Ok(seq) => kept = seq,
                Err(code) => break code,
            }
        };
        // The error may show before the database writes, or during it.
        assert!(
            ["overloaded", "uncertain"].contains(&&*refused),
            "{refused}"
        );
        assert_eq!(
            server.get("/readyz").await,
            (503, "messages cannot be kept\n".to_owned())
        );
        assert_eq!(server.get("/healthz").await.0, 200);
        ann.say(Kind::MEMBERS, json!({ "room": "tea" })).await;
        assert_eq!(ann.expect(Kind::MEMBERS).await["users"], json!(["ann"]));

        limit_files(server.id(), "unlimited");
        let next = loop {
            // The server does not reopen the file at once.
            if let Ok(seq) = publish(&mut ann, kept + 1).await {
                break seq;
            }
        };
        assert_eq!(next, kept + 1, "no number is skipped");
        assert_eq!(server.get("/readyz").await.0, 200);
    });
}
