//! The load generator's options.

use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;

use crate::refusal;

/// An address where nothing listens.
fn unused_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("ws://{}/ws", listener.local_addr().expect("it is bound"))
}

#[test]
fn times_of_zero_are_refused() {
    for option in ["--duration", "--patience", "--find-limit --step"] {
        let error = refusal(
            &format!("load --target {} {option} 0s", unused_address()),
            &[],
        );
        assert!(error.contains("longer than 0s"), "{option}: {error}");
    }
}

#[test]
fn a_report_that_cannot_be_written_fails_first() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("missing").join("report");
    for option in ["--json", "--html"] {
        let line = format!(
            "load --target {} {option} {}",
            unused_address(),
            path.display()
        );
        let error = refusal(&line, &[]);
        let wanted = format!("cannot write `{}`", path.display());
        assert!(error.contains(&wanted), "{error}");
    }
}

#[test]
fn a_run_that_fails_leaves_the_reports_alone() {
    let folder = TempDir::new().expect("a folder");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::write(&old, "as before").expect("a file");
    let (old_path, new_path) = (old.display(), new.display());
    let target = unused_address();
    let error = refusal(
        &format!("load --target {target} --json {old_path} --html {new_path}"),
        &[],
    );
    assert!(error.contains("cannot connect"), "{error}");
    assert_eq!(fs::read_to_string(&old).expect("it is there"), "as before");
    assert!(!new.exists(), "an empty report was left");
}
