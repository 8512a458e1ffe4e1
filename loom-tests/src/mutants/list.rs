//! The mutants, by the part of the pool that they break.

mod ends;
mod figures;
mod handles;
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
        .chain(handles::MUTANTS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::report::{self, workspace};

    #[test]
    fn each_snippet_occurs_once_in_its_file() {
        let source = workspace().join("pool/src");
        for mutant in super::all() {
            let text = fs::read_to_string(source.join(mutant.file)).unwrap();
            let places = text.matches(mutant.find).count();
            assert_eq!(places, 1, "{}: {}", mutant.file, mutant.fault);
            assert_ne!(mutant.find, mutant.replace);
        }
    }

    #[test]
    fn each_mutant_has_one_row_in_the_report() {
        let table = report::read("mutants").unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        for mutant in super::all() {
            let row = mutant.row();
            let places = rows.iter().filter(|line| line.starts_with(&row)).count();
            assert_eq!(places, 1, "{row}");
        }
        assert_eq!(rows.len(), super::all().count());
    }

    #[test]
    fn readme_of_the_workspace_counts_the_mutants() {
        let text = fs::read_to_string(workspace().join("README.md")).unwrap();
        let said = format!("each of {} seeded faults", super::all().count());
        assert!(text.contains(&said), "{said}");
    }
}
