//! Tests that run in a child process.

use std::env;
use std::process::Command;

/// The variable that names the test that a child process runs.
const CHILD: &str = "ANTHILL_TEST_IN_CHILD";

/// Runs the body of the test `path` (`module::name`) in a process in which no other test runs.
///
/// # Panics
///
/// If the test fails there, or if the binary has no test with this path.
#[track_caller]
pub(crate) fn in_own_process(path: &str, body: impl FnOnce()) {
    if env::var(CHILD).is_ok_and(|child| child == path) {
        return body();
    }
    let child = Command::new(env::current_exe().unwrap())
        .args([path, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&child.stdout);
    println!("{stdout}{}", String::from_utf8_lossy(&child.stderr));
    let passed = child.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "`{path}` failed in its process: {}", child.status);
}
