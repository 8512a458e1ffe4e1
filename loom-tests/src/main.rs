//! Two longer proofs than the tests, and the tables of their results in the README.
//!
//! ```console
//! cargo run -p loom-tests -- mutants             # seeded faults: which model or test sees each
//! cargo run -p loom-tests -- mutants I4          # those whose name or invariant contains `I4`
//! cargo run -p loom-tests -- explore             # every model further than the tests go
//! ```
//!
//! With `--write` the result goes into `loom-tests/README.md`.

mod explore;
mod mutants;
mod readme;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p loom-tests -- mutants [NAME]... [--write]
       cargo run -p loom-tests -- explore [--write]";

fn main() -> ExitCode {
    let (options, words): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with("--"));
    let write = options.iter().any(|option| option == "--write");
    if options.iter().any(|option| option != "--write") {
        return refuse(USAGE);
    }
    let ran = match words.split_first() {
        Some((word, names)) if word == "mutants" => mutants::run_all(names, write),
        Some((word, [])) if word == "explore" => explore::run_all(write),
        _ => return refuse(USAGE),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

/// Whether all is well.
type Outcome = Result<bool, Box<dyn Error>>;
