//! Calls cargo for the tests of this package.

use std::io;
use std::path::{self, PathBuf};
use std::process::{Command, Stdio};

use crate::report::workspace;

/// Returns the folder for builds, as an absolute path: cargo runs in other folders.
pub(crate) fn target() -> io::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    path::absolute(target.unwrap_or_else(|| workspace().join("target")))
}

/// Returns a `cargo test` of this package, built with these flags for rustc. Its errors are shown.
pub(crate) fn test(flags: &str) -> io::Result<Command> {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace())
        .args(["test", "--locked", "--profile", "loom", "-p", "loom-tests"])
        .env("RUSTFLAGS", flags)
        // It would replace `RUSTFLAGS`.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target()?.join("loom"))
        .stderr(Stdio::inherit());
    Ok(command)
}
