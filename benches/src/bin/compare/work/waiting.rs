//! What does a waiting closure cost?

use std::hint::black_box;
use std::io;
use std::sync::{Arc, Barrier};

use super::{ALLOCATIONS, BYTES, Case, ClosureWork, PEAK, Plan, Work, unnamed};
use crate::counting;
use crate::meter::{self, Figures};
use crate::peers::Peer;
use crate::tally::Tally;

pub(super) const WORK: Work = Work {
    name: "waiting",
    about: "Closures of 32 bytes that wait behind busy threads, without a bound: memory per closure, the pool included",
    cases,
    label: unnamed,
    runners: super::runners::<Waiting>,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
    shown: &[BYTES, ALLOCATIONS, PEAK],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(1_000_000, 100_000, 1_000);
    vec![Case::new(plan.threads, tasks)]
}

struct Waiting;

impl ClosureWork for Waiting {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let tally = Tally::new(None);
        counting::begin();
        let before = counting::allocated();
        let pool = super::leaked::<P>(case);
        let barrier = Arc::new(Barrier::new(case.threads + 1));
        for _ in 0..case.threads {
            let barrier = Arc::clone(&barrier);
            pool.submit(move || {
                // Once to report that it runs, and once to wait for the release.
                barrier.wait();
                barrier.wait();
            });
        }
        barrier.wait();
        for number in 0..case.tasks as u64 {
            let more = [number; 3];
            pool.submit(move || {
                black_box(more);
                tally.ran();
            });
        }
        let after = counting::allocated();
        barrier.wait();
        tally.wait(case.tasks);
        tally.check(case.tasks)?;
        let tasks = case.tasks as f64;
        Ok(meter::figures([
            ("bytes_per_task", (after.live - before.live) as f64 / tasks),
            (
                "allocs_per_task",
                (after.count - before.count) as f64 / tasks,
            ),
            ("peak_rss_kib", meter::peak_memory_kib()?),
        ]))
    }
}
