//! The binary with closed outputs, and its signals.

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use chat_demo_client::frame::Kind;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Client, run};

const BINARY: &str = env!("CARGO_BIN_EXE_chat-demo");

/// A server whose standard output and standard error are one pipe, as in `chat-demo 2>&1 | tee
/// log`.
struct Piped {
    child: Child,
    output: BufReader<PipeReader>,
    address: SocketAddr,
}

impl Piped {
    fn start(command: &mut Command) -> Self {
        let (output, input) = pipe().expect("a pipe");
        let child = command
            .args(["--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "chat_demo=debug")
            .stdout(input.try_clone().expect("a pipe"))
            .stderr(input)
            .spawn()
            .expect("it is built");
        // The command also holds the writing end, and would keep the pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while !line.contains(" listening ") {
            line.clear();
            let read = output.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended before it listened");
        }
        let (_, address) = line.rsplit_once("//").expect("a URL");
        Self {
            child,
            output,
            address: address.trim().parse().expect("an address"),
        }
    }

    fn serve(args: &[&str]) -> Self {
        Self::start(Command::new(BINARY).args(args))
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().try_into().expect("ids are small");
        kill(Pid::from_raw(id), signal).expect("it runs");
    }

    /// Waits until it has ended.
    async fn ended(self) -> ExitStatus {
        let Self {
            mut child, output, ..
        } = self;
        drop(output);
        let waiting = tokio::task::spawn_blocking(move || child.wait().expect("it is ours"));
        waiting.await.expect("no panic")
    }
}

async fn enter(address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("ws://{address}/ws").into_client_request();
    let mut client = Client::over(stream, request.expect("a request"))
        .await
        .expect("an upgrade");
    client.say(Kind::HELLO, json!({ "name": "ann" })).await;
    client.expect(Kind::WELCOME).await;
    client
}

/// Checks the frames that a client gets during a drain.
async fn expect_drain(mut client: Client) {
    client.expect(Kind::BYE).await;
    client.expect_close(1012).await;
}

#[test]
fn a_server_with_a_closed_log_serves_and_drains() {
    run(async {
        let Piped {
            child,
            output,
            address,
        } = Piped::serve(&["--drain-notice", "0ms"]);
        drop(output);
        let (output, _) = pipe().expect("a pipe");
        let server = Piped {
            child,
            output: BufReader::new(output),
            address,
        };
        // Each connection logs its start and its end.
        enter(server.address).await.close().await;
        let ann = enter(server.address).await;
        server.signal(Signal::SIGINT);
        expect_drain(ann).await;
        assert_eq!(server.ended().await.code(), Some(0));
    });
}

#[test]
fn a_terminal_that_closes_drains_the_server() {
    run(async {
        // Tests that run under `nohup` hand down an ignored SIGHUP.
        let args = ["--default-signal=HUP", BINARY, "--drain-notice", "0ms"];
        let server = Piped::start(Command::new("env").args(args));
        let ann = enter(server.address).await;
        server.signal(Signal::SIGHUP);
        // The shell sends the signal again.
        server.signal(Signal::SIGHUP);
        expect_drain(ann).await;
        assert_eq!(server.ended().await.code(), Some(0));
    });
}

#[test]
fn under_nohup_a_closed_terminal_is_not_noticed() {
    run(async {
        let script = r#"trap "" HUP; exec "$0" "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, BINARY, "--drain-notice", "0ms"]);
        let server = Piped::start(&mut command);
        server.signal(Signal::SIGHUP);
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id()));
        let status = status.expect("it runs");
        let mask = |name: &str| {
            let mask = status.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("hexadecimal")
        };
        let bit = 1 << (Signal::SIGHUP as u64 - 1);
        assert_eq!((mask("SigIgn:") & bit, mask("SigCgt:") & bit), (bit, 0));
        server.signal(Signal::SIGTERM);
        assert_eq!(server.ended().await.code(), Some(0));
    });
}

#[test]
fn signals_that_come_together_are_one() {
    run(async {
        let server = Piped::serve(&["--drain-notice", "0ms"]);
        let ann = enter(server.address).await;
        // As `timeout` does: to the process and to its group.
        server.signal(Signal::SIGTERM);
        server.signal(Signal::SIGINT);
        expect_drain(ann).await;
        assert_eq!(server.ended().await.code(), Some(0));
    });
}

#[test]
fn a_later_second_signal_ends_at_once_with_its_number() {
    run(async {
        for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
            let mut server = Piped::serve(&["--drain-notice", "1h"]);
            let mut ann = enter(server.address).await;
            server.signal(Signal::SIGTERM);
            ann.expect(Kind::BYE).await;
            let mut impatience = interval(Duration::from_millis(50));
            let status = loop {
                if let Some(status) = server.child.try_wait().expect("it is ours") {
                    break status;
                }
                server.signal(signal);
                impatience.tick().await;
            };
            assert_eq!(status.code(), Some(code), "{status}");
        }
    });
}

/// Runs a command whose output is closed. Returns its status, and its errors if they are read.
fn with_closed_output(args: &[&str], errors: bool) -> (ExitStatus, String) {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(BINARY);
    command
        .args(args)
        .stdout(writer.try_clone().expect("a pipe"));
    if !errors {
        command.stderr(writer);
    }
    let output = command.output().expect("it is built");
    (
        output.status,
        String::from_utf8(output.stderr).expect("text"),
    )
}

#[test]
fn a_token_to_a_closed_output_is_an_error() {
    let secret = "0123456789abcdef0123456789abcdef";
    let args = ["token", "--token-secret", secret, "--user", "ann"];
    let (status, errors) = with_closed_output(&args, true);
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.starts_with("chat-demo: cannot write the token: "),
        "{errors}"
    );
    let (status, _) = with_closed_output(&args, false);
    assert_eq!((status.code(), status.signal()), (Some(1), None));
}

#[test]
fn a_report_to_a_closed_output_is_still_in_its_file() {
    let folder = TempDir::new().expect("a folder");
    let json = folder.path().join("r.json");
    let json = json.to_str().expect("text");
    let load = "load --serve --connections 2 --messages 1 --json";
    let args: Vec<_> = load.split_whitespace().chain([json]).collect();
    let (status, errors) = with_closed_output(&args, true);
    assert_eq!(status.code(), Some(1), "{errors}");
    let last = "chat-demo: cannot write the report to standard output: ";
    assert!(
        errors.lines().any(|line| line.starts_with(last)),
        "{errors}"
    );
    assert!(std::fs::exists(json).expect("a folder"));
    let (status, _) = with_closed_output(&args, false);
    assert_eq!(status.code(), Some(1));
}
