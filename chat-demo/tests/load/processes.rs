//! The load generator as a program, in several processes.

use std::fs;
use std::process::Stdio;

use chat_demo_load::Report;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::serve;

struct Program {
    child: Child,
    progress: Lines<BufReader<ChildStderr>>,
    folder: TempDir,
}

impl Program {
    fn start(target: &str, line: &str) -> Self {
        // Tests that run under `nohup` pass on an ignored SIGHUP.
        Self::start_with("--default-signal=HUP", target, line)
    }

    /// Starts the program with an option of `env`.
    fn start_with(option: &str, target: &str, line: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("env")
            .args([option, env!("CARGO_BIN_EXE_chat-demo")])
            .args(["load", "--target", target])
            .args(line.split_whitespace())
            .arg("--json")
            .arg(folder.path().join("report.json"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal signals a group: a shell with job control makes one for the program.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("it is built");
        let stderr = child.stderr.take().expect("it is piped");
        Self {
            child,
            progress: BufReader::new(stderr).lines(),
            folder,
        }
    }

    /// Reads until a line begins with a word.
    async fn until(&mut self, begin: &str) -> String {
        loop {
            let line = self.progress.next_line().await.expect("text");
            let line = line.expect("it goes on");
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    fn pid(&self) -> Pid {
        let id = self.child.id().expect("it runs");
        Pid::from_raw(id.try_into().expect("a small number"))
    }

    /// Returns its worker processes.
    fn children(&self) -> Vec<Pid> {
        let id = self.pid();
        let threads = fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
        let children = threads.map(|thread| {
            let path = thread.expect("a thread").path().join("children");
            fs::read_to_string(path).unwrap_or_default()
        });
        let children: String = children.collect::<Vec<_>>().join(" ");
        let numbers = children.split_whitespace();
        numbers
            .map(|number| Pid::from_raw(number.parse().expect("a number")))
            .collect()
    }

    /// Returns the exit code and the report.
    async fn end(mut self) -> (Option<i32>, Report) {
        while let Some(_line) = self.progress.next_line().await.expect("text") {}
        let ended = self.child.wait().await.expect("it is ours");
        let report = fs::read(self.folder.path().join("report.json")).expect("a report");
        (ended.code(), serde_json::from_slice(&report).expect("JSON"))
    }
}

#[tokio::test]
async fn rooms_are_spread_over_processes() {
    let server = serve(|_| ());
    let target = format!("ws://{}/ws", server.address());
    let line = "--processes 3 --connections 10 --rooms 2 --publishers 2 --messages 30 --window 4";
    let program = Program::start(&target, line);
    let (code, report) = program.end().await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((report.connections, report.sent), (10, 60));
    assert_eq!((report.delivered, report.lost), (300, 0));
    assert!(report.p99_ms > 0.0 && report.p99_ms < 60_000.0, "{report}");
}

#[tokio::test]
async fn a_dead_process_is_reported_and_ends_the_run() {
    let server = serve(|_| ());
    let target = format!("ws://{}/ws", server.address());
    let line = "--processes 2 --connections 4 --rooms 1 --rate 20 --duration 1h --patience 1s";
    let mut program = Program::start(&target, line);
    program.until("connecting: 4 of 4").await;
    let children = program.children();
    assert_eq!(children.len(), 2);
    for child in &children {
        kill(*child, Signal::SIGKILL).expect("it runs");
    }
    let (code, report) = program.end().await;
    assert_eq!(code, Some(1), "{report}");
    let why = "a process of the load generator ended";
    assert_eq!(report.error_kinds[why], 2, "{report}");
}

#[tokio::test]
async fn an_interrupted_run_reports_and_exits_with_130() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for processes in ["1", "2"] {
            let server = serve(|_| ());
            let target = format!("ws://{}/ws", server.address());
            let line = format!(
                "--processes {processes} --connections 4 --rooms 1 --rate 100 --duration 1h"
            );
            let mut program = Program::start(&target, &line);
            program.until("connecting: 4 of 4").await;
            // Publishing has begun, or is about to. A terminal and `timeout` signal the group.
            killpg(program.pid(), signal).expect("it runs");
            let (code, report) = program.end().await;
            assert!(report.interrupted, "{signal}: {report}");
            assert!(report.to_string().contains("INTERRUPTED"), "{report}");
            assert_eq!(code, Some(130), "{signal}: {report}");
            assert_eq!((report.errors, report.lost), (0, 0), "{signal}: {report}");
        }
    }
}

#[tokio::test]
async fn a_run_under_nohup_survives_a_hangup() {
    let server = serve(|_| ());
    let target = format!("ws://{}/ws", server.address());
    let line = "--processes 2 --connections 4 --rooms 1 --rate 100 --duration 1s";
    let mut program = Program::start_with("--ignore-signal=HUP", &target, line);
    program.until("connecting: 4 of 4").await;
    killpg(program.pid(), Signal::SIGHUP).expect("it runs");
    let (code, report) = program.end().await;
    assert!(!report.interrupted, "{report}");
    assert_eq!(code, Some(0), "{report}");
}
