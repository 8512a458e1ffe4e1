//! Seeded faults: takes one guard out of the pool at a time and sees which model or test fails.
//!
//! ```console
//! cargo run -p loom-tests --bin mutants                  # all
//! cargo run -p loom-tests --bin mutants -- I4            # those whose name or invariant contains `I4`
//! cargo run -p loom-tests --bin mutants -- --write       # all, and the table in loom-tests/README.md
//! ```
//!
//! It works on a copy under `target/mutants`, and exits with 1 if a mutant survives.

mod list;
mod run;
mod table;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use run::{Tree, Verdict};

/// A fault: `find` occurs once in `file`, and `replace` is put in its place.
pub(crate) struct Mutant {
    /// What it must break.
    pub(crate) invariant: &'static str,
    /// What was taken out or weakened.
    pub(crate) fault: &'static str,
    /// In `pool/src`.
    pub(crate) file: &'static str,
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
    pub(crate) killer: Killer,
}

/// Who is to see it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Killer {
    /// A file of models in `loom-tests/tests`.
    Model(&'static str),
    /// The models of many threads.
    Crowd,
    /// A file of tests in `pool/tests`, where a model cannot tell.
    Test(&'static str),
}

fn main() -> ExitCode {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| *option != "--write") {
        eprintln!("no such option: {unknown}; there is --write");
        return ExitCode::from(2);
    }
    let chosen = |mutant: &&Mutant| {
        names.is_empty()
            || names
                .iter()
                .any(|name| mutant.invariant.contains(name) || mutant.fault.contains(name))
    };
    let mutants: Vec<_> = list::all().filter(chosen).collect();
    let write = !options.is_empty();
    if write && !names.is_empty() {
        eprintln!("--write is for a run of all mutants");
        return ExitCode::from(2);
    }
    match run_all(&mutants, write) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(survivors) => {
            eprintln!(
                "{survivors} of {} survived or could not be tried",
                mutants.len()
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Returns how many were not killed.
fn run_all(mutants: &[&Mutant], write: bool) -> Result<usize, Box<dyn std::error::Error>> {
    let tree = Tree::copy()?;
    // A mutant may make its killer hang: that is, take several times as long as without it.
    let mut patience = BTreeMap::new();
    for mutant in mutants {
        if let Entry::Vacant(entry) = patience.entry(mutant.killer) {
            let begin = Instant::now();
            if tree.run(mutant.killer, run::PATIENCE)? != Verdict::Survived {
                return Err(format!("{} fails without any mutant", mutant.killer).into());
            }
            entry.insert(Duration::from_secs(15) + 3 * begin.elapsed());
        }
    }
    let mut rows = Vec::new();
    for mutant in mutants {
        let verdict = tree.try_mutant(mutant, patience[&mutant.killer])?;
        println!("{}: {}: {verdict}", mutant.invariant, mutant.fault);
        rows.push((*mutant, verdict));
    }
    if write {
        table::write(&rows)?;
    }
    let killed = |verdict: &Verdict| matches!(verdict, Verdict::Killed { .. });
    Ok(rows.iter().filter(|(_, verdict)| !killed(verdict)).count())
}

impl std::fmt::Display for Killer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model(file) => write!(f, "loom-tests/tests/{file}.rs"),
            Self::Crowd => f.write_str("loom-tests/tests/crowds.rs"),
            Self::Test(file) => write!(f, "pool/tests/{file}.rs"),
        }
    }
}
