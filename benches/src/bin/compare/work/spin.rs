//! Busy closures: how much does a submit cost beside real work?

use std::hint;
use std::io;
use std::time::{Duration, Instant};

use super::{CPU_NS, Case, ClosureWork, NS, Plan, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::Peer;

pub(super) const ONE_US: Work = Work {
    name: "spin1us",
    about: "Closures that are busy for 1 us, at capacity 1,000; on two threads the floor is 500 ns a task",
    cases: |plan| cases(plan, plan.effort.of(500_000, 50_000, 500)),
    label: unnamed,
    runners: super::bounded_runners::<Spin<1>>,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[NS, CPU_NS],
};

pub(super) const TEN_US: Work = Work {
    name: "spin10us",
    about: "Closures that are busy for 10 us, at capacity 1,000; on two threads the floor is 5,000 ns a task",
    cases: |plan| cases(plan, plan.effort.of(100_000, 10_000, 100)),
    label: unnamed,
    runners: super::bounded_runners::<Spin<10>>,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[NS, CPU_NS],
};

fn cases(plan: &Plan, tasks: usize) -> Vec<Case> {
    vec![Case::new(plan.threads, tasks).capacity(1_000)]
}

struct Spin<const US: u64>;

impl<const US: u64> ClosureWork for Spin<US> {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        measure(case, |tally| {
            pool.submit(|| {
                spin(Duration::from_micros(US));
                tally.ran();
            });
        })
    }
}

/// Is busy for a microsecond.
pub(super) fn spin_one_us() {
    spin(Duration::from_micros(1));
}

/// Measured by the clock, so that it takes as long on a processor that shares its core.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}
