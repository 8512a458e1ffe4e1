//! Closures that do nothing: how does the cost of a submit grow?

use super::noop::Noop;
use super::{
    Anthill, CPU_NS, Case, Channel, Kanal, NS, Plan, TokioSemaphore, Work, grouped, runner,
};

pub(super) const WORK: Work = Work {
    name: "growth",
    about: "Closures that do nothing, with more submitters, workers and capacity",
    cases,
    label,
    runners: || {
        vec![
            runner::<Noop, Anthill>(),
            runner::<Noop, Channel>(),
            runner::<Noop, Kanal>(),
            runner::<Noop, TokioSemaphore>(),
        ]
    },
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
    shown: &[NS, CPU_NS],
};

/// The base case. Every other case differs from it in one dimension.
const SUBMITTERS: usize = 4;
const WORKERS: usize = 2;
const CAPACITY: usize = 1_000;

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(1_000_000, 100_000, 1_000);
    let base = Case {
        producers: SUBMITTERS,
        ..Case::new(WORKERS, tasks).capacity(CAPACITY)
    };
    let mut cases = vec![base.clone()];
    for producers in [1, 2, 8, 16, 32, 64] {
        cases.push(Case {
            producers,
            ..base.clone()
        });
    }
    for threads in [1, 4, 8, 16] {
        cases.push(Case {
            threads,
            ..base.clone()
        });
    }
    for capacity in [10, 100, 10_000, 100_000, 1_000_000, 10_000_000] {
        cases.push(base.clone().capacity(capacity));
    }
    cases
}

fn label(case: &Case) -> String {
    format!(
        "{} submitters, {} workers, capacity {}",
        case.producers,
        case.threads,
        grouped(case.capacity.unwrap_or(usize::MAX))
    )
}
