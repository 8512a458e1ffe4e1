//! What does a pool cost that has nothing to do?

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, OfClosures, PEAK, Plan, Shown, Work, produce, unnamed};
use crate::meter::{self, Figures};
use crate::peers::Peer;

/// After which nobody looks for work any more.
const SETTLING: Duration = Duration::from_millis(100);

pub(super) const WORK: Work = Work {
    name: "idle",
    about: "A pool whose threads have nothing to do",
    cases,
    label: unnamed,
    players: super::players::<Idle>,
    most_rounds: usize::MAX,
    counted: false,
    serves: false,
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

impl OfClosures for Idle {
    fn play<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::kept::<P>(case);
        let tally = case.tally();
        produce(case, || pool.submit(|| tally.ran()));
        tally.wait(case.tasks);
        tally.check(case.tasks)?;
        thread::sleep(SETTLING.min(case.watched()));
        let (start, cpu) = (Instant::now(), meter::cpu_time()?);
        thread::sleep(case.watched());
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
