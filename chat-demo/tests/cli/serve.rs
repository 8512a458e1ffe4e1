//! The server's options and variables.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{program, refusal};

/// Settings that conflict: with them, the program checks only the settings before these.
const STOP: &str = "--heartbeat 80s";
const STOPPED: &str = "--idle-timeout must be longer than --heartbeat";

#[test]
fn listen_takes_a_host_name() {
    let mut server = program("--listen localhost:0 --drain-notice 0s", &[])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let log = BufReader::new(server.stdout.take().expect("it is piped"));
    let first = log.lines().next().map(|line| line.expect("text"));
    let id = server.id().try_into().expect("a small number");
    // Without a line, the server has ended.
    let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    let status = server.wait().expect("it is ours");
    let first = first.expect("a line");
    assert!(
        ["url=http://127.0.0.1:", "url=http://[::1]:"]
            .iter()
            .any(|url| first.contains(url)),
        "{first}"
    );
    assert!(status.success(), "{status}");
}

#[test]
fn flags_in_the_environment_are_yes_or_no() {
    for flag in [
        "CHAT_ALLOW_GUESTS",
        "CHAT_ALLOW_ANY_ORIGIN",
        "CHAT_DEBUG_COMMANDS",
        "CHAT_ECHO",
        "CHAT_REDIS_CLUSTER",
    ] {
        for off in ["0", "no", "false"] {
            let error = refusal(STOP, &[(flag, off)]);
            assert!(error.contains(STOPPED), "{flag}={off}: {error}");
        }
        for on in ["1", "yes", "true"] {
            let error = refusal(STOP, &[(flag, on), ("CHAT_REDIS", "redis://127.0.0.1")]);
            assert!(error.contains(STOPPED), "{flag}={on}: {error}");
        }
    }
    let error = refusal("", &[("CHAT_REDIS_CLUSTER", "yes")]);
    assert!(error.contains("--redis-cluster needs --redis"), "{error}");
}

#[test]
fn errors_name_the_variable_behind_an_option() {
    for (words, variable, value) in [
        ("", "CHAT_ALLOW_GUESTS", "maybe"),
        ("", "CHAT_HEARTBEAT", "soon"),
        ("", "CHAT_HEARTBEAT", "0s"),
        // Valid alone, and not with another setting.
        ("", "CHAT_HEARTBEAT", "80s"),
        ("", "CHAT_REDIS_CLUSTER", "1"),
        ("--redis redis://127.0.0.1", "CHAT_DATA", "chat.redb"),
        ("load --serve", "CHAT_HEARTBEAT", "soon"),
    ] {
        let error = refusal(words, &[(variable, value)]);
        assert!(error.contains(variable), "{variable}={value}: {error}");
    }
    let error = refusal("--heartbeat soon", &[("CHAT_HEARTBEAT", "10s")]);
    assert!(!error.contains("CHAT_HEARTBEAT"), "typed by hand: {error}");
}

#[test]
fn times_that_end_at_once_are_refused() {
    for (words, least) in [
        ("--heartbeat 0s", "at least 1ms"),
        ("--idle-timeout 0s", "at least 1ms"),
        ("--request-timeout 0s", "at least 1ms"),
        ("token --user ann --for 0s", "at least 1s"),
        ("token --user ann --for 999ms", "at least 1s"),
    ] {
        let error = refusal(words, &[]);
        assert!(error.contains(least), "{words}: {error}");
    }
}

#[test]
fn a_bad_log_filter_is_reported() {
    for bad in [
        "chat_demo_server=loud",
        "info,[room]=debug",
        "info,=debug=x",
    ] {
        let error = refusal("--listen 127.0.0.1:0", &[("RUST_LOG", bad)]);
        assert!(error.contains("cannot read RUST_LOG"), "{bad}: {error}");
        assert!(error.contains(bad), "{bad}: {error}");
    }
}
