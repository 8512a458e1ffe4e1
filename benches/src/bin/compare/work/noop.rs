//! Closures that do nothing: what does a submit cost?

use std::io;

use super::{CPU_NS, Case, ClosureWork, NS, Plan, Work, grouped, measure};
use crate::meter::Figures;
use crate::peers::Peer;

pub(super) const WORK: Work = Work {
    name: "noop",
    about: "Closures that do nothing, submitted from outside",
    cases,
    label,
    runners: super::bounded_runners::<Noop>,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[NS, CPU_NS],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let many = plan.effort.of(1_000_000, 100_000, 1_000);
    let mut cases = Vec::new();
    for capacity in [None, Some(50_000), Some(1_000), Some(2)] {
        // At capacity 2 most submits wait for a task, which takes ten times as long.
        let tasks = if capacity == Some(2) { many / 10 } else { many };
        for producers in [1, 4, 16] {
            cases.push(Case {
                capacity,
                producers,
                ..Case::new(plan.threads, tasks)
            });
        }
    }
    cases
}

fn label(case: &Case) -> String {
    let bound = case.capacity.map_or_else(
        || "no bound".to_owned(),
        |capacity| format!("capacity {}", grouped(capacity)),
    );
    let plural = if case.producers == 1 { "" } else { "s" };
    format!("{bound}, {} producer{plural}", case.producers)
}

pub(super) struct Noop;

impl ClosureWork for Noop {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        measure(case, |tally| pool.submit(|| tally.ran()))
    }
}
