//! The program with `--serve`: its server and its reports.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Runs `chat-demo load` with these options in a folder.
fn load(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chat-demo"))
        .arg("load")
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("it is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the error of a refused run.
fn refusal(line: &str) -> String {
    let folder = TempDir::new().expect("a folder");
    let output = load(folder.path(), line);
    assert!(!output.status.success(), "{line} passed");
    text(&output.stderr)
}

/// Returns the reports of a run: as JSON, and as a page.
fn reports(line: &str) -> (Output, Value, String) {
    let folder = TempDir::new().expect("a folder");
    let output = load(
        folder.path(),
        &format!("--json r.json --html r.html {line}"),
    );
    let read = |name| fs::read_to_string(folder.path().join(name)).expect("it was written");
    let json = serde_json::from_str(&read("r.json")).expect("it is JSON");
    let page = read("r.html");
    (output, json, page)
}

#[test]
fn a_run_with_its_own_server_writes_both_reports() {
    let (output, json, page) =
        reports("--serve --connections 4 --rooms 2 --messages 5 -- --fanout 7");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        (&json["sent"], &json["delivered"]),
        (&10.into(), &20.into())
    );
    assert!(json["limit"].is_null(), "{json}");
    assert!(
        page.contains("--fanout 7") && page.contains("<h2>Figures</h2>"),
        "{page}"
    );
}

#[test]
fn the_server_ends_with_the_run() {
    let folder = TempDir::new().expect("a folder");
    let output = load(
        folder.path(),
        "--serve --profile --connections 2 --messages 1",
    );
    let errors = text(&output.stderr);
    let (_, process) = errors.split_once("process ").expect(&errors);
    let (process, _) = process.split_once('\n').expect(&errors);
    assert!(
        errors.contains(&format!("-p {process} ")),
        "how to profile it: {errors}"
    );
    assert!(
        !Path::new("/proc").join(process).exists(),
        "{process} is still there"
    );
}

#[test]
fn the_server_ends_with_a_run_that_a_signal_ends() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        // Tests that run under `nohup` pass on an ignored SIGHUP.
        let mut run = Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_chat-demo")])
            .args("load --serve --connections 2 --messages 1 --hold 1h".split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is built");
        let errors = BufReader::new(run.stderr.take().expect("it is piped"));
        let mut process = None;
        for line in errors.lines().map(|line| line.expect("text")) {
            if let Some((_, id)) = line.split_once("process ") {
                process = Some(id.to_owned());
            }
            if line.starts_with("holding: ") && line.contains("idle members") {
                let id = run.id().try_into().expect("ids are small");
                kill(Pid::from_raw(id), signal).expect("it runs");
            }
        }
        let status = run.wait().expect("it is ours");
        assert!(
            status.code().is_some(),
            "it did not end but was killed: {status}"
        );
        let process = process.expect("the server's process");
        assert!(
            !Path::new("/proc").join(&process).exists(),
            "{process} is still there"
        );
    }
}

#[test]
fn the_limit_of_a_server_is_found() {
    let line = "--serve --connections 4 --rooms 2 --find-limit --step 200ms --max-rate 40 --repeat 1 \
                --p99 60s --cpu 100";
    let (output, json, page) = reports(line);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let limit = &json["limit"];
    assert_eq!(limit["rate"], 40.0, "{limit}");
    assert_eq!(limit["bound_by"], "nothing", "{limit}");
    let steps = limit["steps"].as_array().expect("the steps");
    assert!(steps.len() >= 2 && steps.iter().all(|step| step["rate"].as_f64() <= Some(40.0)));
    let errors = text(&output.stderr);
    assert_eq!(errors.matches(": holds").count(), steps.len());
    // Each step reports how long the search will take.
    let estimates = errors.matches("; search 1 of 1, ").count();
    assert_eq!(estimates, steps.len(), "{errors}");
    assert!(errors.contains(" left"), "{errors}");
    assert!(page.contains("The limit is 40 messages a second"), "{page}");
}

#[test]
fn a_search_that_finds_no_limit_fails() {
    let line =
        "--serve --connections 2 --find-limit --step 1s --max-rate 1 --repeat 1 --memory 0.001";
    let (output, json, _) = reports(line);
    assert!(!output.status.success(), "{json}");
    assert_eq!(json["limit"]["rate"], 0.0, "{json}");
}

#[test]
fn conflicting_options_are_refused() {
    for line in [
        "--serve --target ws://127.0.0.1:1/ws",
        "--profile",
        "--find-limit --messages 3",
        "--find-limit --duration 1s",
        "--p99 50ms",
        "--serve --find-limit --cpu 0",
        "--serve --find-limit --memory 101",
    ] {
        let errors = refusal(line);
        assert!(errors.contains("error: "), "{line}: {errors}");
    }
    let errors = refusal("--connections 2 -- --fanout 7");
    assert!(errors.contains("--serve"), "{errors}");
}

#[test]
fn a_server_that_does_not_start_is_quoted() {
    let wrong = refusal("--serve -- --fan-in 7");
    assert!(wrong.contains("--fan-in"), "{wrong}");
    // Each setting is valid alone; the server finds that they conflict.
    let ended = refusal("--serve -- --heartbeat 80s");
    assert!(
        ended.contains("exited during start") && ended.contains("--idle-timeout"),
        "{ended}"
    );
    let folder = refusal("--serve -- --data /nowhere/chat.redb");
    assert!(folder.contains("/nowhere/chat.redb"), "{folder}");
}
