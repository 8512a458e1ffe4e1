//! Counting: what a process takes that walks a path twice as often, less what one takes that does not.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::paths::{Path, Side};

/// The instructions of one walk.
pub(crate) fn count(path: Path) -> io::Result<f64> {
    let times = path.times();
    let (once, twice) = (total(path, times)?, total(path, 2 * times)?);
    Ok((twice as f64 - once as f64) / times as f64)
}

/// The instructions of a process that walks the path so often, on the side that counts.
fn total(path: Path, times: usize) -> io::Result<u64> {
    let folder = env::temp_dir().join(format!("instructions-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let name = path.to_possible_value().expect("none is skipped");
    let mut valgrind = Command::new("valgrind");
    valgrind
        // Without fast bins glibc's allocator never consolidates them, which it does at moments that depend on all earlier
        // allocations and cost more than a path.
        .env("GLIBC_TUNABLES", "glibc.malloc.mxfast=0")
        .args(["--tool=callgrind", "--separate-threads=yes", "--quiet"])
        .arg(format!(
            "--callgrind-out-file={}",
            folder.join("out").display()
        ));
    if path.side() == Side::Submitter {
        // The functions that submit, and what they call.
        valgrind.args(["--collect-atstart=no", "--toggle-collect=*paths::submit*"]);
        valgrind.arg("--toggle-collect=*paths::spawn*");
    }
    let ended = valgrind
        .arg(env::current_exe()?)
        .args(["--walk", name.get_name(), &times.to_string()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("valgrind: {error}; install it with 'apt-get install valgrind'"),
            )
        })?;
    if !ended.success() {
        return Err(io::Error::other(format!("{}: {ended}", name.get_name())));
    }
    let mut sum = 0;
    for file in fs::read_dir(&folder)? {
        let file = file?.path();
        // out-01 is the thread that submits.
        let thread = file
            .extension()
            .is_none()
            .then(|| file.to_string_lossy().into_owned());
        let Some((_, thread)) = thread.as_deref().and_then(|name| name.rsplit_once("out-")) else {
            continue;
        };
        let side = if thread == "01" {
            Side::Submitter
        } else {
            Side::Worker
        };
        if side == path.side() {
            sum += totals(&fs::read_to_string(&file)?);
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(sum)
}

/// The sum that callgrind writes at the end.
fn totals(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|sum| sum.trim().parse().ok()).unwrap_or(0)
}
