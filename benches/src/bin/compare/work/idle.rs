//! What does an idle pool cost?

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, ClosureWork, PEAK, Plan, Shown, Work, produce, unnamed};
use crate::meter::{self, Figures};
use crate::peers::Peer;

/// After this time no worker searches for work.
const SETTLING: Duration = Duration::from_millis(100);

pub(super) const WORK: Work = Work {
    name: "idle",
    about: "A pool whose threads have nothing to do",
    cases,
    label: unnamed,
    runners: super::runners::<Idle>,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
    shown: &[
        Shown {
            figure: "cpu_percent",
            heading: "% of a processor",
            unit: 1.0,
            more_is_better: false,
        },
        PEAK,
    ],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let case = Case::new(plan.threads, 1_000);
    vec![case.window(plan.effort, [2_000, 1_000, 20])]
}

struct Idle;

impl ClosureWork for Idle {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        let tally = case.tally();
        produce(case, || pool.submit(|| tally.ran()));
        tally.wait(case.tasks);
        tally.check(case.tasks)?;
        thread::sleep(SETTLING.min(case.measured_time()));
        let (start, cpu) = (Instant::now(), meter::cpu_time()?);
        thread::sleep(case.measured_time());
        let used = meter::cpu_time()?.saturating_sub(cpu);
        Ok(meter::figures([
            (
                "cpu_percent",
                100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64(),
            ),
            ("peak_rss_kib", meter::peak_memory_kib()?),
        ]))
    }
}
