//! Calls cargo for the tests of this package.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::report::workspace;

/// Returns a `cargo test` of this package, built with these flags for rustc. Its errors are shown.
pub(crate) fn test(flags: &str) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| workspace().join("target"));
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace())
        .args(["test", "--locked", "--profile", "loom", "-p", "loom-tests"])
        .env("RUSTFLAGS", flags)
        // It would replace `RUSTFLAGS`.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target.join("loom"))
        .stderr(Stdio::inherit());
    command
}
