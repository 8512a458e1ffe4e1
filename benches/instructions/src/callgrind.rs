//! Counts the instructions of a path: a run of twice the length, less a run of the single length.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::paths::{Path, Side};

/// Returns the instructions of one run of the path.
pub(crate) fn count(path: Path) -> io::Result<f64> {
    let times = path.times();
    let (once, twice) = (total(path, times)?, total(path, 2 * times)?);
    Ok((twice as f64 - once as f64) / times as f64)
}

/// Returns the instructions of a process that runs the path `times` times, on the side that counts.
fn total(path: Path, times: usize) -> io::Result<u64> {
    let folder = env::temp_dir().join(format!("instructions-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let name = path.to_possible_value().expect("no path is hidden");
    let mut valgrind = Command::new("valgrind");
    valgrind
        // Disables fast bins. glibc's allocator consolidates them at moments that depend on all
        // earlier allocations, which costs more than a path.
        .env("GLIBC_TUNABLES", "glibc.malloc.mxfast=0")
        .args(["--tool=callgrind", "--separate-threads=yes", "--quiet"])
        .arg(format!(
            "--callgrind-out-file={}",
            folder.join("out").display()
        ));
    if path.side() == Side::Submitter {
        // The functions that submit, and their callees.
        valgrind.args(["--collect-atstart=no", "--toggle-collect=*paths::submit*"]);
        valgrind.arg("--toggle-collect=*paths::spawn*");
    }
    let ended = valgrind
        .arg(env::current_exe()?)
        .args(["--run-path", name.get_name(), &times.to_string()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot run valgrind: {error}; install it with `apt-get install valgrind`"),
            )
        })?;
    if !ended.success() {
        return Err(io::Error::other(format!("{}: {ended}", name.get_name())));
    }
    let mut sum = 0;
    for file in fs::read_dir(&folder)? {
        let file = file?.path();
        // out-01 is the submitter's thread.
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

/// Returns the total that callgrind writes at the end of a file.
fn totals(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|sum| sum.trim().parse().ok()).unwrap_or(0)
}
