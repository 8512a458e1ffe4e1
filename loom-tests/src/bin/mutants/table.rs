//! The table in `loom-tests/README.md`.

use std::error::Error;
use std::fmt::Write;
use std::fs;

use crate::Mutant;
use crate::run::{Verdict, workspace};

const BEGIN: &str = "<!-- mutants: begin -->\n";
const END: &str = "<!-- mutants: end -->\n";

/// Puts the verdicts between the two marks.
pub(crate) fn write(rows: &[(&Mutant, Verdict)]) -> Result<(), Box<dyn Error>> {
    let path = workspace().join("loom-tests/README.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("the README has no first mark")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the README has no second mark")?;
    let mut table = String::from("| invariant | fault | in | |\n|---|---|---|---|\n");
    for (mutant, verdict) in rows {
        let Mutant {
            invariant,
            fault,
            file,
            killer,
            ..
        } = mutant;
        let killer = killer.to_string();
        writeln!(
            table,
            "| {invariant} | {fault} | `{file}` | {verdict}, `{killer}` |"
        )?;
    }
    fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?;
    Ok(())
}
