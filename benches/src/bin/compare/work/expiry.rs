//! How long do idle threads stay that are to leave?

use std::io;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use super::{Case, Plan, Player, Shown, Work, unnamed};
use crate::meter::{self, Figures};
use crate::peers::{Anthill, Expiring, RustyPool, TokioBlocking};

const THREADS: usize = 64;
/// How often it looks, in a part of the expiry.
const LOOKS: u32 = 500;
/// After so many times the expiry it is said that they stay.
const LIMIT: u32 = 100;

pub(super) const WORK: Work = Work {
    name: "expiry",
    about: "From the last of 64 tasks on 64 threads until all of these have left",
    cases,
    label: unnamed,
    players,
    most_rounds: usize::MAX,
    counted: false,
    serves: false,
    shown: &[Shown {
        figure: "times_expiry",
        heading: "times the expiry",
        unit: 1.0,
        more_is_better: false,
    }],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let case = Case::new(THREADS, THREADS);
    vec![case.window(plan.effort, [1_000, 200, 50])]
}

/// Those whose threads can leave.
fn players() -> Vec<Player> {
    vec![
        Player::of::<Anthill>(play::<Anthill>),
        Player::of::<RustyPool>(play::<RustyPool>),
        Player::of::<TokioBlocking>(play::<TokioBlocking>),
    ]
}

fn play<P: Expiring>(case: &Case) -> io::Result<Figures> {
    let expiry = case.watched();
    let pool = Box::leak(Box::new(P::expiring(case.threads, expiry)));
    let fewest = meter::threads()?;
    let all_run = Arc::new(Barrier::new(case.threads + 1));
    let tally = case.tally();
    for _ in 0..case.tasks {
        let all_run = Arc::clone(&all_run);
        pool.submit(move || {
            all_run.wait();
            tally.ran();
        });
    }
    all_run.wait();
    tally.wait(case.tasks);
    let start = Instant::now();
    while meter::threads()? > fewest {
        if start.elapsed() > expiry * LIMIT {
            let left = meter::threads()? - fewest;
            return Err(io::Error::other(format!(
                "{left} idle threads do not leave"
            )));
        }
        thread::sleep(expiry / LOOKS);
    }
    tally.check(case.tasks)?;
    Ok(meter::figures([
        (
            "times_expiry",
            start.elapsed().as_secs_f64() / expiry.as_secs_f64(),
        ),
        ("peak_rss_kib", meter::peak_memory_kib()?),
    ]))
}
