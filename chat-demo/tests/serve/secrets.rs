//! Secrets are not shown.

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Returns the program's output with these settings.
fn said(args: &[&str], settings: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-demo"))
        .args(args)
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("it is built");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    text(output.stdout) + &text(output.stderr)
}

#[test]
fn help_shows_no_secrets_of_the_environment() {
    let settings = [
        ("CHAT_REDIS", "redis://ann:hush@127.0.0.1"),
        ("CHAT_TOKEN_SECRET", "hush-hush-hush-hush-hush-hush-hush"),
    ];
    for args in [
        &["--help"][..],
        &["-h"],
        &["token", "--help"],
        &["load", "--help"],
    ] {
        let help = said(args, &settings);
        assert!(help.contains("Usage:"), "{help}");
        assert!(!help.contains("hush"), "{help}");
    }
}

#[test]
fn errors_show_no_password_of_redis() {
    for (args, urls) in [
        (&[][..], "redis://ann:hush@127.0.0.1:port"),
        (&[], "redis://ann:hu#sh@127.0.0.1"),
        (&[], "http://ann:hush@127.0.0.1"),
        (&[], "redis://:hu,sh@127.0.0.1"),
        (&[], "redis://:hush@one,redis://:hush@two"),
        (&["--data", "x"], "redis://:hush@one"),
        (&["--heartbeat", "80s"], "redis://:hush@one"),
    ] {
        for by_environment in [true, false] {
            let listen = ["--listen", "127.0.0.1:0"];
            let output = if by_environment {
                said(&[&listen, args].concat(), &[("CHAT_REDIS", urls)])
            } else {
                said(&[&listen, args, &["--redis", urls]].concat(), &[])
            };
            assert!(
                output.contains("--"),
                "nothing is wrong with {urls}: {output}"
            );
            assert!(
                !output.contains("hush") && !output.contains("hu#sh"),
                "{output}"
            );
            assert!(
                !output.contains("sh@") && !output.contains(":hu"),
                "{output}"
            );
        }
    }
}

#[test]
fn a_load_report_shows_no_secrets_of_its_server() {
    let folder = TempDir::new().expect("a folder");
    let html = folder.path().join("r.html");
    let html = html.to_str().expect("text");
    let args = [
        "load",
        "--serve",
        "--connections",
        "2",
        "--messages",
        "1",
        "--html",
        html,
        "--",
        "--token-secret",
        "hush-hush-hush-hush-hush-hush-hush",
        "--allow-guests",
    ];
    let output = said(&args, &[]);
    assert!(!output.contains("hush"), "{output}");
    let page = std::fs::read_to_string(html).expect("it was written");
    assert!(page.contains("--token-secret"), "{page}");
    assert!(!page.contains("hush"), "{page}");
}
