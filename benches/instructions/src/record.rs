//! The recorded counts in the repository.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;

use clap::ValueEnum;

use crate::paths::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded.txt");

/// Instructions by path name.
#[derive(Default)]
pub(crate) struct Record(BTreeMap<String, f64>);

impl Record {
    /// Records a count and keeps the lowest, because rare events only add instructions.
    pub(crate) fn keep_lowest(&mut self, path: Path, instructions: f64) {
        let lowest = self.0.entry(name(path)).or_insert(instructions);
        *lowest = lowest.min(instructions);
    }

    /// Returns whether a path exceeds its earlier count by more than the tolerance.
    pub(crate) fn exceeds(&self, before: &Self, path: Path, tolerance: f64) -> bool {
        let of = |record: &Self| record.0.get(&name(path)).copied();
        of(self)
            .zip(of(before))
            .is_some_and(|(now, before)| now > before * (1.0 + tolerance))
    }

    pub(crate) fn read() -> io::Result<Self> {
        let text = fs::read_to_string(FILE)?;
        let line = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(Self(lines.filter_map(line).collect()))
    }

    pub(crate) fn write(&self) -> io::Result<()> {
        let head = "# Instructions per run: cargo run --release -p instructions -- --record\n";
        fs::write(FILE, format!("{head}{self}"))
    }

    /// Prints a comparison with earlier counts. Returns whether no path exceeds its count by more
    /// than the tolerance.
    pub(crate) fn print_comparison(&self, before: &Self, tolerance: f64) -> bool {
        let mut passes = self.0.len() == before.0.len();
        println!("{:<18}{:>9}{:>9}{:>8}", "path", "before", "now", "more");
        for (name, now) in &self.0 {
            let Some(before) = before.0.get(name) else {
                println!(
                    "{name:<18}{:>9}{now:>9.0}   not recorded: run with --record",
                    ""
                );
                passes = false;
                continue;
            };
            let more = now / before - 1.0;
            let verdict = if more > tolerance { "  REGRESSION" } else { "" };
            println!(
                "{name:<18}{before:>9.0}{now:>9.0}{:>7.1}%{verdict}",
                more * 100.0
            );
            passes &= more <= tolerance;
        }
        passes
    }
}

fn name(path: Path) -> String {
    let name = path.to_possible_value().expect("no path is hidden");
    name.get_name().to_owned()
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(f, "{name:<18}{count:>9.0}")?;
        }
        Ok(())
    }
}
