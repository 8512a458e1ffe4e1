//! How long does a task take from submit to start, on a pool with all threads parked?

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Case, ClosureWork, Plan, Shown, Work, unnamed};
use crate::meter::{self, Figures};
use crate::peers::Peer;

/// Long enough for every peer's threads to park.
const PAUSE: Duration = Duration::from_millis(1);

pub(super) const WORK: Work = Work {
    name: "latency",
    about: "From submit to start, on a pool whose threads all sleep, ns",
    cases,
    label: unnamed,
    runners: super::runners::<Latency>,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
    shown: &[
        shown("p50_ns", "half of them within"),
        shown("p99_ns", "99 % within"),
        shown("p999_ns", "99.9 % within"),
    ],
};

const fn shown(figure: &'static str, heading: &'static str) -> Shown {
    Shown {
        figure,
        heading,
        unit: 1.0,
        more_is_better: false,
    }
}

fn cases(plan: &Plan) -> Vec<Case> {
    vec![Case::new(plan.threads, plan.effort.of(3_000, 500, 20))]
}

struct Latency;

impl ClosureWork for Latency {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        let (started, starts) = mpsc::channel();
        let sample = || {
            thread::sleep(PAUSE);
            let started = started.clone();
            let submitted = Instant::now();
            pool.submit(move || _ = started.send(submitted.elapsed()));
            starts.recv().expect("the task runs")
        };
        for _ in 0..case.warm_up().tasks {
            sample();
        }
        let mut latency = Histogram::<u64>::new(3).expect("three digits");
        for _ in 0..case.tasks {
            let time = u64::try_from(sample().as_nanos()).unwrap_or(u64::MAX);
            latency.record(time).expect("it grows as needed");
        }
        Ok(meter::figures([
            ("p50_ns", latency.value_at_quantile(0.5) as f64),
            ("p99_ns", latency.value_at_quantile(0.99) as f64),
            ("p999_ns", latency.value_at_quantile(0.999) as f64),
            ("peak_rss_kib", meter::peak_memory_kib()?),
        ]))
    }
}
