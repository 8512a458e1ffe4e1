//! Closures that compute for a little while: how much of the cost of handing over is left beside some work?

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use super::{CPU_NS, Case, NS, OfClosures, Plan, Work, measure, unnamed};
use crate::meter::Figures;
use crate::peers::Peer;

pub(super) const ONE_US: Work = Work {
    name: "spin1us",
    about: "Closures that compute for 1 us, at capacity 1,000; on two threads the floor is 500 ns a task",
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
    about: "Closures that compute for 10 us, at capacity 1,000; on two threads the floor is 5,000 ns a task",
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

struct Spin<const US: u32>;

impl<const US: u32> OfClosures for Spin<US> {
    fn play<P: Peer>(case: &Case) -> io::Result<Figures> {
        let turns = turns_in(Duration::from_micros(US.into()));
        let pool = super::kept::<P>(case);
        measure(case, |tally| {
            pool.submit(move || {
                compute(turns);
                tally.ran();
            });
        })
    }
}

/// Takes processor time, so that a thread that is preempted has its work still before it.
fn compute(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// As many as take so long when nothing disturbs them.
fn turns_in(time: Duration) -> u64 {
    const TURNS: u64 = 5_000;
    let least = (0..100).map(|_| {
        let start = Instant::now();
        compute(black_box(TURNS));
        start.elapsed()
    });
    let least = least.min().expect("there are some").as_secs_f64();
    let turns = time.as_secs_f64() * TURNS as f64 / least;
    // A float becomes the nearest that fits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousands"
    )]
    let turns = turns as u64;
    turns
}
