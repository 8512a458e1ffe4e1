//! The mutants, by the part of the pool that they break.

mod ends;
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
        .chain(orderings::MUTANTS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::readme::workspace;

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
}
