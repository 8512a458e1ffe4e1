//! Closures that are busy for a little while: how much of the cost of handing over is left beside some work?

use std::hint;
use std::io;
use std::time::{Duration, Instant};

use super::{CPU_NS, Case, NS, OfClosures, Plan, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::Peer;

pub(super) const ONE_US: Work = Work {
    name: "spin1us",
    about: "Closures that are busy for 1 us, at capacity 1,000; on two threads the floor is 500 ns a task",
    cases: |plan| cases(plan, plan.effort.of(500_000, 50_000, 500)),
    label: unnamed,
    players: super::players::<Spin<1>>,
    most_rounds: usize::MAX,
    counted: true,
    serves: false,
    shown: &[NS, CPU_NS],
};

pub(super) const TEN_US: Work = Work {
    name: "spin10us",
    about: "Closures that are busy for 10 us, at capacity 1,000; on two threads the floor is 5,000 ns a task",
    cases: |plan| cases(plan, plan.effort.of(100_000, 10_000, 100)),
    label: unnamed,
    players: super::players::<Spin<10>>,
    most_rounds: usize::MAX,
    counted: true,
    serves: false,
    shown: &[NS, CPU_NS],
};

fn cases(plan: &Plan, tasks: usize) -> Vec<Case> {
    vec![Case::new(plan.threads, tasks).capacity(1_000)]
}

struct Spin<const US: u64>;

impl<const US: u64> OfClosures for Spin<US> {
    fn play<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::kept::<P>(case);
        measure(case, |tally| {
            pool.submit(|| {
                spin(Duration::from_micros(US));
                tally.ran();
            });
        })
    }
}

/// By the clock, so that it is as long on a processor that shares its core.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}
