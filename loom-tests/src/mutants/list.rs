//! The mutants, by the part of the pool that they break.

mod ends;
mod figures;
mod lanes;
mod orderings;
mod reactor;
mod slots;
mod tasks;
mod wakeups;

use crate::mutants::Mutant;

pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    slots::MUTANTS
        .iter()
        .chain(wakeups::MUTANTS)
        .chain(ends::MUTANTS)
        .chain(tasks::MUTANTS)
        .chain(reactor::MUTANTS)
        .chain(lanes::MUTANTS)
        .chain(orderings::MUTANTS)
        .chain(figures::MUTANTS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::readme::{self, workspace};

    /// So that a change of the pool takes its mutants along.
    #[test]
    fn every_mutant_finds_its_place() {
        let source = workspace().join("pool/src");
        for mutant in super::all() {
            let text = fs::read_to_string(source.join(mutant.file)).unwrap();
            let places = text.matches(mutant.find).count();
            assert_eq!(places, 1, "{}: {}", mutant.file, mutant.fault);
            assert_ne!(mutant.find, mutant.replace);
        }
    }

    #[test]
    fn every_mutant_has_a_row_of_its_own_in_the_table() {
        let table = readme::read("mutants").unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        for mutant in super::all() {
            let row = mutant.row();
            let places = rows.iter().filter(|line| line.starts_with(&row)).count();
            assert_eq!(places, 1, "{row}");
        }
        assert_eq!(rows.len(), super::all().count());
    }

    #[test]
    fn the_readme_of_the_workspace_says_how_many_there_are() {
        let text = fs::read_to_string(workspace().join("README.md")).unwrap();
        let said = format!("each of {} seeded faults", super::all().count());
        assert!(text.contains(&said), "{said}");
    }
}
