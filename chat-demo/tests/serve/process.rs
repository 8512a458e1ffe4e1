//! The server as a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use chat_demo_client::frame::Kind;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Client, http};

/// A server process. Dropping this kills it.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Held open, because the server keeps writing.
    _log: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `command`, which becomes a server, and reads its address from its log.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .env("RUST_LOG", "info")
            // Disables limits that other programs could reach.
            .envs([("CHAT_MAX_CPU", "0"), ("CHAT_MAX_MEMORY", "0")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let log = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut lines = log.lines();
        let line = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .find(|line| line.contains(" listening "));
        let line = line.expect("it says where it listens");
        let (_, address) = line.rsplit_once("//").expect("a URL");
        Self {
            address: address.trim().parse().expect("an address"),
            child,
            _log: lines,
        }
    }

    /// Starts a server on a free port.
    pub(crate) fn serve(args: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_chat-demo");
        Self::start(
            Command::new(binary)
                .args(["--listen", "127.0.0.1:0"])
                .args(args),
        )
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns a client that has joined a room.
    pub(crate) async fn enter_room(&self, name: &str, room: &str) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let request = format!("ws://{}/ws", self.address).into_client_request();
        let mut client = Client::over(stream, request.expect("a request"))
            .await
            .expect("an upgrade");
        client.say(Kind::HELLO, json!({ "name": name })).await;
        client.expect(Kind::WELCOME).await;
        client.join(room).await;
        client
    }

    /// Returns the status and the body for a path.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = http(self.address, &format!("GET {path} HTTP/1.1")).await;
        (answer.status, answer.body)
    }

    /// Kills it, like `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is dead");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
