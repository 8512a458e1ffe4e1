//! Closures that block their thread: a million sleeps of 10 ms, a thousand at a time.

use std::io;
use std::thread;
use std::time::Duration;

use super::{CPU_NS, Case, ClosureWork, PEAK, Plan, Runner, SECONDS, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::{AsyncExecutor, Peer, Tokio};

const TIME: Duration = Duration::from_millis(10);

pub(super) const WORK: Work = Work {
    name: "blocking10ms",
    about: "Closures that block their thread for 10 ms, on 1,000 threads at capacity 1,000: the floor for a million is 10 s",
    cases,
    label: unnamed,
    runners,
    max_rounds: 3,
    counts_allocations: true,
    is_server: false,
    shown: &[SECONDS, CPU_NS, PEAK],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(1_000_000, 20_000, 200);
    let threads = plan.effort.of(1_000, 1_000, 50);
    vec![Case::new(threads, tasks).capacity(threads)]
}

/// Leaves out peers with threads that must not block.
fn runners() -> Vec<Runner> {
    let mut runners = super::runners::<Blocking>();
    runners.retain(|runner| ![Tokio::NAME, AsyncExecutor::NAME].contains(&runner.name));
    runners
}

struct Blocking;

impl ClosureWork for Blocking {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        measure(case, |tally| {
            pool.submit(|| {
                thread::sleep(TIME);
                tally.ran();
            });
        })
    }
}
