//! The benchmark of ants, as futures: a million tasks that sleep 10 ms, at most 50,000 at a time.

use std::io;
use std::time::Duration;

use super::{CPU_NS, Case, PEAK, Plan, Runner, SECONDS, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::{Anthill, AsyncExecutor, Bounded, Timers, Tokio};

const TIME: Duration = Duration::from_millis(10);

pub(super) const WORK: Work = Work {
    name: "sleep10ms",
    about: "Futures that sleep 10 ms, at most 50,000 at a time: the floor for a million is 0.2 s",
    cases,
    label: unnamed,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[SECONDS, CPU_NS, PEAK, super::ALLOCATIONS, super::BYTES],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(1_000_000, 200_000, 1_000);
    vec![Case::new(plan.threads, tasks).capacity(50_000)]
}

fn runners() -> Vec<Runner> {
    vec![
        Runner::of::<Anthill>(run::<Anthill>),
        Runner::of::<Bounded<AsyncExecutor>>(run::<Bounded<AsyncExecutor>>),
        Runner::of::<Bounded<Tokio>>(run::<Bounded<Tokio>>),
    ]
}

fn run<P: Timers>(case: &Case) -> io::Result<Figures> {
    let pool = Box::leak(Box::new(P::with_timers(case.threads, case.capacity)));
    measure(case, |tally| {
        pool.spawn(async {
            P::sleep(TIME).await;
            tally.ran();
        });
    })
}
