//! How long do idle threads stay beyond their expiry?

use std::io;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use super::{Case, Plan, Runner, Shown, Work, unnamed};
use crate::meter::{self, Figures};
use crate::peers::{Anthill, Expiring, RustyPool, TokioBlocking};

const THREADS: usize = 64;
/// Checks for each expiry.
const CHECKS: u32 = 500;
/// Fails after this many times the expiry.
const LIMIT: u32 = 100;

pub(super) const WORK: Work = Work {
    name: "expiry",
    about: "From the end of 64 tasks on 64 threads until all threads have ended",
    cases,
    label: unnamed,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
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

/// Peers with threads that expire.
fn runners() -> Vec<Runner> {
    vec![
        Runner::of::<Anthill>(run::<Anthill>),
        Runner::of::<RustyPool>(run::<RustyPool>),
        Runner::of::<TokioBlocking>(run::<TokioBlocking>),
    ]
}

fn run<P: Expiring>(case: &Case) -> io::Result<Figures> {
    let expiry = case.measured_time();
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
                "{left} idle threads did not expire"
            )));
        }
        thread::sleep(expiry / CHECKS);
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
