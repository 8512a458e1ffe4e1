//! ants' own benchmark, as futures: a million tasks that each sleep 10 ms, at most 50,000 at a time.

use std::io;
use std::time::Duration;

use super::{CPU_NS, Case, PEAK, Plan, Player, SECONDS, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::{Anthill, AsyncExecutor, Bounded, Timers, Tokio};

const TIME: Duration = Duration::from_millis(10);

pub(super) const WORK: Work = Work {
    name: "sleep10ms",
    about: "Futures that sleep 10 ms, at most 50,000 at a time: the floor for a million is 0.2 s",
    cases,
    label: unnamed,
    players,
    most_rounds: usize::MAX,
    counted: true,
    serves: false,
    shown: &[SECONDS, CPU_NS, PEAK, super::ALLOCATIONS, super::BYTES],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let tasks = plan.effort.of(1_000_000, 200_000, 1_000);
    vec![Case::new(plan.threads, tasks).capacity(50_000)]
}

fn players() -> Vec<Player> {
    vec![
        Player::of::<Anthill>(play::<Anthill>),
        Player::of::<Bounded<AsyncExecutor>>(play::<Bounded<AsyncExecutor>>),
        Player::of::<Bounded<Tokio>>(play::<Bounded<Tokio>>),
    ]
}

fn play<P: Timers>(case: &Case) -> io::Result<Figures> {
    let pool = Box::leak(Box::new(P::with_timers(case.threads, case.capacity)));
    measure(case, |tally| {
        pool.spawn(async {
            P::sleep(TIME).await;
            tally.ran();
        });
    })
}
