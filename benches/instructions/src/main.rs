//! Counts the instructions of the pool's hot paths with callgrind. The counts do not depend on how
//! busy the machine is.
//!
//! ```console
//! cargo run --release -p instructions
//! ```
//!
//! The program fails if a path takes over 5 % more instructions than `recorded.txt` says.
//! `--record` rewrites the file.

mod callgrind;
mod paths;
mod record;

use std::io;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use self::paths::Path;
use self::record::Record;

/// The tolerated increase of a path, as a share.
const TOLERANCE: f64 = 0.05;

/// The most counts of one path. Threads that interleave in another order execute other
/// instructions.
const TRIES: usize = 3;

/// Counts the instructions of the pool's hot paths
#[derive(Parser)]
struct Cli {
    /// Write the counts to recorded.txt instead of comparing with it
    #[arg(long)]
    record: bool,

    /// Runs a path in a process whose instructions are counted
    #[arg(long, hide = true, num_args = 2, value_names = ["PATH", "TIMES"])]
    run_path: Option<Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> io::Result<ExitCode> {
    if let Some(run_path) = &cli.run_path {
        let path = Path::from_str(&run_path[0], false).map_err(io::Error::other)?;
        path.run(run_path[1].parse().map_err(io::Error::other)?);
        return Ok(ExitCode::SUCCESS);
    }
    let before = if cli.record {
        Record::default()
    } else {
        Record::read()?
    };
    let mut counted = Record::default();
    for &path in Path::value_variants() {
        counted.keep_lowest(path, callgrind::count(path)?);
        for _ in 1..TRIES {
            if cli.record || counted.exceeds(&before, path, TOLERANCE) {
                counted.keep_lowest(path, callgrind::count(path)?);
            }
        }
    }
    if cli.record {
        counted.write()?;
        println!("{counted}");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if counted.print_comparison(&before, TOLERANCE) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
