//! The mutants, by the part of the pool that they break.

mod ends;
mod orderings;
mod slots;
mod tasks;
mod wakeups;

use crate::Mutant;

pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    slots::MUTANTS
        .iter()
        .chain(wakeups::MUTANTS)
        .chain(ends::MUTANTS)
        .chain(tasks::MUTANTS)
        .chain(orderings::MUTANTS)
}
