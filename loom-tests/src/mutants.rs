//! Seeded faults: removes one guard of the pool at a time and reports which model or test fails.
//!
//! It works on a copy of the workspace under `target/mutants`.

mod list;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::report;
use run::{Tree, Verdict};

/// A fault: `find` occurs once in `file` and is replaced by `replace`.
pub(crate) struct Mutant {
    /// The promise that the fault breaks.
    pub(crate) invariant: &'static str,
    /// What the pool does wrong.
    pub(crate) fault: &'static str,
    /// The path in `pool/src`.
    pub(crate) file: &'static str,
    /// The shortest text that occurs once.
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
    pub(crate) killer: Killer,
}

impl Mutant {
    /// The start of its row in the table.
    fn row(&self) -> String {
        let Self {
            invariant,
            fault,
            file,
            ..
        } = self;
        format!("| {invariant} | {fault} | `{file}` |")
    }

    /// The model or test that found it, according to the table.
    fn last_found_by(&self, table: &str) -> Option<String> {
        let begin = self.row();
        let row = table.lines().find(|line| line.starts_with(&begin))?;
        let name = row[begin.len()..].split('`').nth(1)?;
        Some(name.to_owned())
    }

    /// The change as a unified diff of one hunk.
    fn diff(&self) -> Result<String, Box<dyn Error>> {
        let path = report::workspace().join("pool/src").join(self.file);
        let before = fs::read_to_string(path)?;
        let Some(place) = before.find(self.find) else {
            return Err(Verdict::Unapplied.to_string().into());
        };
        let first = before[..place].rfind('\n').map_or(0, |end| end + 1);
        let end = place + self.find.len();
        let last = before[end..]
            .find('\n')
            .map_or(before.len(), |more| end + more);
        let after = format!(
            "{}{}{}",
            &before[first..place],
            self.replace,
            &before[end..last]
        );
        let lines = |sign: char, text: &str| {
            let lines: Vec<_> = text.lines().map(|line| format!("{sign}{line}")).collect();
            lines.join("\n")
        };
        let number = before[..first].lines().count() + 1;
        let (removed, added) = (lines('-', &before[first..last]), lines('+', &after));
        Ok(format!(
            "pool/src/{}, line {number}:\n{removed}\n{added}\n",
            self.file
        ))
    }
}

/// Which tests must find the fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Killer {
    /// A module of `loom-tests/tests/models`.
    Model(&'static str),
    /// The models with many threads, `loom-tests/tests/crowds.rs`.
    Crowd,
    /// A module of `pool/tests/behaviour`, for faults that a model cannot express.
    Test(&'static str),
}

impl Killer {
    /// What its tests are called in the report.
    fn kind(self) -> &'static str {
        match self {
            Self::Model(_) => "model",
            Self::Crowd => "crowd",
            Self::Test(_) => "test",
        }
    }
}

/// The mutants whose invariant, fault or killer contains one of `names`; all mutants if there are no names.
fn chosen(names: &[String]) -> Result<Vec<&'static Mutant>, String> {
    let is_chosen = |mutant: &&Mutant| {
        let killer = mutant.killer.to_string();
        let texts = [mutant.invariant, mutant.fault, &killer];
        names.is_empty()
            || names
                .iter()
                .any(|name| texts.iter().any(|text| text.contains(name)))
    };
    let chosen: Vec<_> = list::all().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(format!("no fault is named {}", names.join(" ")));
    }
    Ok(chosen)
}

/// How long each killer may take. A mutant counts as hanging after several times the time without a mutant.
#[derive(Default)]
struct Patience(BTreeMap<Killer, Duration>);

impl Patience {
    fn of(&mut self, killer: Killer, tree: &Tree) -> Result<Duration, Box<dyn Error>> {
        if let Some(patience) = self.0.get(&killer) {
            return Ok(*patience);
        }
        tree.build(killer)?;
        let begin = Instant::now();
        if tree.run(killer, run::PATIENCE)? != Verdict::Survived {
            return Err(format!("{killer} fails without a mutant").into());
        }
        let patience = Duration::from_secs(15) + 3 * begin.elapsed();
        self.0.insert(killer, patience);
        Ok(patience)
    }
}

/// Tries a mutant until the first model or test fails. Starts with the model or test that failed in the last run, and
/// asks for the patience with the whole killer only if it passes.
fn try_until_found(
    mutant: &Mutant,
    table: &str,
    tree: &Tree,
    patience: impl FnOnce() -> Result<Duration, Box<dyn Error>>,
) -> Result<Verdict, Box<dyn Error>> {
    if let Some(test) = mutant.last_found_by(table) {
        let verdict = tree.try_test(mutant, &test)?;
        if verdict != Verdict::Survived {
            return Ok(verdict);
        }
    }
    Ok(tree.try_mutant(mutant, patience()?)?)
}

/// Tries the chosen mutants.
pub(crate) fn run_all(names: &[String], write: bool) -> Outcome {
    let mutants = chosen(names)?;
    let table = report::read("mutants")?;
    let tree = Tree::copy()?;
    let mut patience = Patience::default();
    let mut rows = Vec::new();
    for mutant in &mutants {
        let verdict = try_until_found(mutant, &table, &tree, || patience.of(mutant.killer, &tree))?;
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
        report::write("mutants", |table| updated(table, &rows))?;
    }
    Ok(survivors == 0)
}

/// Runs every model or test of each killer alone, because loom ends the process at the first failure, and reports the
/// models that find no fault.
pub(crate) fn run_each(names: &[String]) -> Outcome {
    let mutants = chosen(names)?;
    let tree = Tree::copy()?;
    let mut patience = Patience::default();
    let (mut blind, mut seeing) = (BTreeSet::new(), BTreeSet::new());
    let mut survivors = 0;
    for mutant in &mutants {
        let verdicts = tree.try_each(mutant, patience.of(mutant.killer, &tree)?)?;
        let killed = |verdict: &Verdict| matches!(verdict, Verdict::Killed { .. });
        let (killers, others): (Vec<_>, Vec<_>) = verdicts
            .into_iter()
            .partition(|(_, verdict)| killed(verdict));
        survivors += usize::from(killers.is_empty());
        let names = |tests: Vec<(String, Verdict)>| tests.into_iter().map(|(name, _)| name);
        let killers: Vec<_> = names(killers).collect();
        let Mutant {
            invariant, fault, ..
        } = mutant;
        println!("{invariant}: {fault}: found by {}", killers.join(", "));
        blind.extend(names(others).map(|name| (mutant.killer, name)));
        seeing.extend(killers.into_iter().map(|name| (mutant.killer, name)));
    }
    for (file, name) in blind.difference(&seeing) {
        println!("{name} in {file} finds none of these faults");
    }
    Ok(survivors == 0)
}

/// Tries one mutant, and prints its diff, the model or test that fails, and its output with the
/// schedule.
pub(crate) fn run_only(names: &[String]) -> Outcome {
    let mutant = match chosen(names)?[..] {
        [mutant] => mutant,
        ref several => {
            let faults: Vec<_> = several.iter().map(|mutant| mutant.fault).collect();
            return Err(format!("name one of these faults:\n{}", faults.join("\n")).into());
        }
    };
    let tree = Tree::copy()?;
    println!("{}: {}\n{}", mutant.invariant, mutant.fault, mutant.diff()?);
    println!("building {}", mutant.killer);
    let table = report::read("mutants")?;
    let verdict = try_until_found(mutant, &table, &tree, || Ok(run::PATIENCE))?;
    println!("{verdict}");
    let Verdict::Killed { test, .. } = &verdict else {
        return Ok(false);
    };
    println!("{}", tree.show(mutant, test)?);
    Ok(true)
}

const HEAD: &str = "| invariant | fault | file in `pool/src` | found by |\n|---|---|---|---|\n";

/// The table of all mutants in the order of the list, with the new rows in place of the old ones.
fn updated(table: &str, rows: &[(&Mutant, Verdict)]) -> String {
    let row = |mutant: &'static Mutant| {
        let begin = mutant.row();
        let new = rows.iter().find(|(other, _)| std::ptr::eq(*other, mutant));
        if let Some((Mutant { killer, .. }, verdict)) = new {
            return Some(format!("{begin} {} |\n", verdict.cell(*killer)));
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
            Self::Model(module) => write!(f, "loom-tests/tests/models/{module}.rs"),
            Self::Crowd => f.write_str("loom-tests/tests/crowds.rs"),
            Self::Test(file) => write!(f, "pool/tests/behaviour/{file}.rs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_that_does_not_exist_is_an_error() {
        let error = chosen(&["no such fault".into()]).err();
        assert_eq!(error.as_deref(), Some("no fault is named no such fault"));
    }

    #[test]
    fn example_of_the_readme_names_one_fault() {
        let path = report::workspace().join("loom-tests/README.md");
        let readme = fs::read_to_string(path).unwrap();
        let (_, rest) = readme.split_once("mutants --only \"").unwrap();
        let (name, _) = rest.split_once('"').unwrap();
        assert_eq!(chosen(&[name.to_owned()]).unwrap().len(), 1, "{name}");
    }
}
