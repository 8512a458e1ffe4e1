//! The log in both formats.

use std::process::Stdio;

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::harness::{Client, run};
use crate::tls::Identity;

/// A server process. Dropping this ends it.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-demo"))
            .args(["--listen", "127.0.0.1:0", "--drain-notice", "0ms"])
            .env_remove("RUST_LOG")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it is built");
        let stdout = child.stdout.take().expect("it is piped");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    async fn line(&mut self) -> String {
        let line = self.lines.next_line().await.expect("text");
        line.expect("another line")
    }

    /// Ends the server, and returns the remaining log lines.
    async fn end(mut self) -> Vec<String> {
        let id = self.child.id().expect("it runs").to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(signalled.expect("there is a kill").success());
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.expect("text") {
            rest.push(line);
        }
        assert!(self.child.wait().await.expect("it is ours").success());
        rest
    }
}

fn request(address: &str) -> Request {
    let url = format!("ws://{address}/ws");
    url.into_client_request().expect("a request")
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn each_line_of_a_json_log_is_an_object_with_its_fields() {
    run(async {
        let mut server = Process::start(&[
            ("CHAT_LOG_FORMAT", "json"),
            ("CHAT_NODE", "kettle"),
            ("CHAT_DEBUG_COMMANDS", "true"),
            ("RUST_LOG", "chat_demo=debug"),
        ]);
        let first = parse(&server.line().await);
        assert_eq!(
            (&first["message"], &first["level"], &first["node"]),
            (&json!("listening"), &json!("INFO"), &json!("kettle"))
        );
        let url = first["url"].as_str().expect("text");
        let address = url.strip_prefix("http://").expect("a URL").to_owned();

        let stream = TcpStream::connect(&address).await.expect("it listens");
        let mut ann = Client::over(stream, request(&address))
            .await
            .expect("an upgrade");
        ann.say(Kind::HELLO, json!({ "name": "ann" })).await;
        let session = ann.expect(Kind::WELCOME).await["session"].clone();
        let opened = parse(&server.line().await);
        assert_eq!(
            (&opened["message"], &opened["level"], &opened["session"]),
            (&json!("connection opened"), &json!("DEBUG"), &session)
        );
        ann.close().await;
        let closed = parse(&server.line().await);
        assert_eq!(closed["message"], "connection closed");
        assert_eq!(
            (&closed["session"], &closed["user"], &closed["reason"]),
            (&session, &json!("ann"), &json!("client"))
        );

        let stream = TcpStream::connect(&address).await.expect("it listens");
        let mut bob = Client::over(stream, request(&address))
            .await
            .expect("an upgrade");
        bob.say(Kind::HELLO, json!({ "name": "bob" })).await;
        bob.say(Kind::PANIC, Value::Null).await;
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push(parse(&server.line().await));
        }
        let errors = lines.iter().filter(|line| line["level"] == "ERROR");
        assert_eq!(errors.count(), 1, "{lines:?}");
        let cut_off = |line: &Value| line["user"] == "bob" && line["reason"] == "cut_off";
        assert!(lines.iter().any(cut_off), "{lines:?}");

        let last: Vec<_> = server.end().await.iter().map(|line| parse(line)).collect();
        let messages: Vec<_> = last.iter().map(|line| &line["message"]).collect();
        assert_eq!(messages, ["draining", "drained"]);
        assert!(last[0]["connections"].is_u64(), "{}", last[0]);
        for line in [first, opened, closed].iter().chain(&last) {
            let time = line["timestamp"].as_str().expect("text");
            assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        }
    });
}

#[test]
fn a_log_is_for_people_unless_it_is_asked_for() {
    run(async {
        let mut server = Process::start(&[]);
        let first = server.line().await;
        assert!(first.contains("INFO listening"), "{first}");
        assert!(serde_json::from_str::<Value>(&first).is_err(), "{first}");
        let last = server.end().await;
        assert!(last.iter().any(|line| line.contains("drained")), "{last:?}");
    });
}

#[test]
fn with_a_certificate_the_address_is_one_of_https() {
    run(async {
        let identity = Identity::new();
        let args = identity.args();
        let path = |path: &std::path::Path| path.to_str().expect("text").to_owned();
        let mut server = Process::start(&[
            ("CHAT_TLS_CERT", &path(&args.tls_cert)),
            ("CHAT_TLS_KEY", &path(&args.tls_key)),
        ]);
        let first = server.line().await;
        assert!(first.contains("url=https://127.0.0.1:"), "{first}");
        server.end().await;
    });
}
