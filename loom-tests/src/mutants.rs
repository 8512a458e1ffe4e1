//! Seeded faults: takes one guard out of the pool at a time and sees which model or test fails.
//!
//! It works on a copy under `target/mutants`.

mod list;
mod run;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::readme;
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

/// Tries those mutants whose invariant or fault contains one of the names; without names all.
pub(crate) fn run_all(names: &[String], write: bool) -> Outcome {
    let chosen = |mutant: &&Mutant| {
        names.is_empty()
            || names
                .iter()
                .any(|name| mutant.invariant.contains(name) || mutant.fault.contains(name))
    };
    let mutants: Vec<_> = list::all().filter(chosen).collect();
    let tree = Tree::copy()?;
    // A mutant may make its killer hang: that is, take several times as long as without it.
    let mut patience = BTreeMap::new();
    for mutant in &mutants {
        if let Entry::Vacant(entry) = patience.entry(mutant.killer) {
            let begin = Instant::now();
            if tree.run(mutant.killer, run::PATIENCE)? != Verdict::Survived {
                return Err(format!("{} fails without any mutant", mutant.killer).into());
            }
            entry.insert(Duration::from_secs(15) + 3 * begin.elapsed());
        }
    }
    let mut rows = Vec::new();
    for mutant in &mutants {
        let verdict = tree.try_mutant(mutant, patience[&mutant.killer])?;
        println!("{}: {}: {verdict}", mutant.invariant, mutant.fault);
        rows.push((*mutant, verdict));
    }
    let killed = |verdict: &Verdict| matches!(verdict, Verdict::Killed { .. });
    let survivors = rows.iter().filter(|(_, verdict)| !killed(verdict)).count();
    println!(
        "{} mutants, {survivors} survived or could not be tried",
        rows.len()
    );
    if write {
        readme::write("mutants", |table| updated(table, &rows))?;
    }
    Ok(survivors == 0)
}

const HEAD: &str = "| invariant | fault | in | |\n|---|---|---|---|\n";

/// The table of all mutants in the order of the list, with the new rows in place of the old ones.
fn updated(table: &str, rows: &[(&Mutant, Verdict)]) -> String {
    let row = |mutant: &'static Mutant| {
        let begin = format!("| {} | {} |", mutant.invariant, mutant.fault);
        let new = rows.iter().find(|(other, _)| std::ptr::eq(*other, mutant));
        if let Some((Mutant { file, killer, .. }, verdict)) = new {
            return Some(format!("{begin} `{file}` | {verdict}, `{killer}` |\n"));
        }
        let old = table.lines().find(|line| line.starts_with(&begin));
        old.map(|old| format!("{old}\n"))
    };
    let rows = list::all().filter_map(row);
    std::iter::once(HEAD.to_owned()).chain(rows).collect()
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
