//! How many instructions the pool's hot paths take, by callgrind: no clock, so a noisy machine counts as well as a quiet one.
//!
//! ```console
//! cargo run --release -p instructions
//! ```
//!
//! A path that takes over 5 % more than `recorded.txt` says is a failure. `--record` writes the file anew.

mod callgrind;
mod paths;
mod record;

use std::io;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use self::paths::Path;
use self::record::Record;

/// What a path may take more than it did, as a share.
const TOLERANCE: f64 = 0.05;

/// How often a path is counted at most: threads that meet in another order take other instructions.
const TRIES: usize = 3;

/// Counts the instructions of the pool's hot paths
#[derive(Parser)]
struct Cli {
    /// Write what is counted to recorded.txt, instead of comparing with it
    #[arg(long)]
    record: bool,

    /// Walks a path, in a process whose instructions are counted
    #[arg(long, hide = true, num_args = 2, value_names = ["PATH", "TIMES"])]
    walk: Option<Vec<String>>,
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
    if let Some(walk) = &cli.walk {
        let path = Path::from_str(&walk[0], false).map_err(io::Error::other)?;
        path.walk(walk[1].parse().map_err(io::Error::other)?);
        return Ok(ExitCode::SUCCESS);
    }
    let before = if cli.record {
        Record::default()
    } else {
        Record::read()?
    };
    let mut counted = Record::default();
    for &path in Path::value_variants() {
        counted.enter(path, callgrind::count(path)?);
        for _ in 1..TRIES {
            if cli.record || counted.exceeds(&before, path, TOLERANCE) {
                counted.enter(path, callgrind::count(path)?);
            }
        }
    }
    if cli.record {
        counted.write()?;
        println!("{counted}");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if counted.holds_against(&before, TOLERANCE) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
