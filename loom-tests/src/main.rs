//! The models, two proofs that take longer, and the tables of their results.
//!
//! ```console
//! cargo run -p loom-tests -- models              # every model as a test, several at a time
//! cargo run -p loom-tests -- mutants             # seeded faults: which model or test finds each
//! cargo run -p loom-tests -- mutants I4          # only faults whose name, invariant or model file contains `I4`
//! cargo run -p loom-tests -- mutants --only NAME # one fault, with its diff and a schedule in which it fails
//! cargo run -p loom-tests -- mutants --each      # every model alone: which models find a fault, and which find none
//! cargo run -p loom-tests -- explore             # every model with one preemption more than in the tests
//! cargo run -p loom-tests -- explore waiting::   # only models whose name contains `waiting::`
//! ```
//!
//! With `--write` the results of the proofs go into `loom-tests/REPORT.md`.

mod cargo;
mod every_model;
mod explore;
mod mutants;
mod report;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p loom-tests -- models
       cargo run -p loom-tests -- mutants [NAME]... [--write | --each | --only]
       cargo run -p loom-tests -- explore [NAME]... [--write]";

fn main() -> ExitCode {
    let (options, words): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with("--"));
    let option = match &options[..] {
        [] => None,
        [option] => Some(option.as_str()),
        _ => return refuse(USAGE),
    };
    let ran = match (words.split_first(), option) {
        (Some((word, [])), None) if word == "models" => every_model::run_all(),
        (Some((word, names)), Some("--each")) if word == "mutants" => mutants::run_each(names),
        (Some((word, names)), Some("--only")) if word == "mutants" => mutants::run_only(names),
        (Some((word, names)), None | Some("--write")) if word == "mutants" => {
            mutants::run_all(names, option.is_some())
        }
        (Some((word, names)), None | Some("--write")) if word == "explore" => {
            explore::run(names, option.is_some())
        }
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

/// Whether every model passed and every fault was found.
type Outcome = Result<bool, Box<dyn Error>>;
