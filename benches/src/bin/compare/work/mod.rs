//! What is measured. Each work has a module with its cases, its peers and its measurement.

mod blocking;
mod case;
mod echo;
mod expiry;
mod growth;
mod idle;
mod latency;
mod map;
mod mixed;
mod noop;
mod sleeps;
mod spin;
mod tree;
mod waiting;
mod yields;

pub(crate) use self::case::{Case, Effort, Plan};
pub(crate) use self::echo::{ServerArgs, load, serve};
pub(crate) use self::mixed::{MixedArgs, serve as serve_mixed};

use std::io;
use std::thread;

use crate::meter::{Figures, Meter};
use crate::peers::{
    Anthill, AsyncExecutor, AsyncLock, Bounded, Channel, Executors, Kanal, Peer, Rayon, RustyPool,
    Threadpool, Tokio, TokioBlocking, TokioSemaphore,
};
use crate::tally::Tally;

/// A measurement with its cases and peers.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// Describes the work, for the heading.
    pub(crate) about: &'static str,
    pub(crate) cases: fn(&Plan) -> Vec<Case>,
    /// Distinguishes a case from the others of this work.
    pub(crate) label: fn(&Case) -> String,
    pub(crate) runners: fn() -> Vec<Runner>,
    /// The most rounds; fewer for long works.
    pub(crate) max_rounds: usize,
    /// Whether an extra round counts allocations and tasks in the pool.
    pub(crate) counts_allocations: bool,
    /// Whether an external peer only provides a server, which this program loads and measures.
    pub(crate) is_server: bool,
    /// The figures in the summary.
    pub(crate) shown: &'static [Shown],
}

/// A figure and how to show it.
pub(crate) struct Shown {
    pub(crate) figure: &'static str,
    pub(crate) heading: &'static str,
    /// The divisor of the figure.
    pub(crate) unit: f64,
    pub(crate) more_is_better: bool,
}

/// All works, in the order of measurement.
pub(crate) static ALL: [Work; 16] = [
    noop::WORK,
    growth::WORK,
    spin::ONE_US,
    spin::TEN_US,
    map::WORK,
    tree::WORK,
    latency::WORK,
    waiting::WORK,
    yields::WORK,
    sleeps::WORK,
    blocking::WORK,
    idle::WORK,
    expiry::WORK,
    echo::WORK,
    mixed::WORK,
    mixed::REVERSE,
];

/// One peer's implementation of a work.
pub(crate) struct Runner {
    pub(crate) name: &'static str,
    pub(crate) crate_name: &'static str,
    /// Whether the peer enforces the capacity itself, without a semaphore.
    pub(crate) bounds: bool,
    pub(crate) run: fn(&Case) -> io::Result<Figures>,
}

impl Runner {
    fn of<P: Peer>(run: fn(&Case) -> io::Result<Figures>) -> Self {
        Self {
            name: P::NAME,
            crate_name: P::CRATE,
            bounds: P::BOUNDS,
            run,
        }
    }
}

/// A work for every pool that runs closures.
trait ClosureWork {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures>;
}

fn runner<W: ClosureWork, P: Peer>() -> Runner {
    Runner::of::<P>(|case| {
        if P::BOUNDS || case.capacity.is_none() {
            W::run::<P>(case)
        } else {
            W::run::<Bounded<P>>(case)
        }
    })
}

/// Returns all pools that run closures.
fn runners<W: ClosureWork>() -> Vec<Runner> {
    vec![
        runner::<W, Anthill>(),
        runner::<W, Channel>(),
        runner::<W, Kanal>(),
        runner::<W, Executors>(),
        runner::<W, RustyPool>(),
        runner::<W, Threadpool>(),
        runner::<W, Rayon>(),
        runner::<W, AsyncExecutor>(),
        runner::<W, Tokio>(),
        runner::<W, TokioBlocking>(),
    ]
}

/// Returns all pools that run closures, and those behind the semaphores that their users take.
fn bounded_runners<W: ClosureWork>() -> Vec<Runner> {
    let mut runners = runners::<W>();
    runners.extend([runner::<W, AsyncLock>(), runner::<W, TokioSemaphore>()]);
    runners
}

/// Returns a pool that is never dropped.
fn leaked<P: Peer>(case: &Case) -> &'static P {
    Box::leak(Box::new(P::new(case.threads, case.capacity)))
}

/// Calls `submit` once for each task, on one thread per producer.
fn produce(case: &Case, submit: impl Fn() + Sync) {
    let part = |share: usize| (0..share).for_each(|_| submit());
    if case.producers == 1 {
        return part(case.tasks);
    }
    thread::scope(|scope| {
        for producer in 0..case.producers {
            let share =
                case.tasks / case.producers + usize::from(producer < case.tasks % case.producers);
            scope.spawn(move || part(share));
        }
    });
}

/// Warms up with a tenth of the tasks, then measures from the first submit until all tasks have
/// run.
fn measure(case: &Case, submit: impl Fn(&'static Tally) + Sync) -> io::Result<Figures> {
    let run = |case: &Case, tally: &'static Tally| {
        produce(case, || {
            submit(tally);
            tally.accepted();
        });
        tally.wait(case.tasks);
    };
    run(&case.warm_up(), Tally::new(None));
    let tally = case.tally();
    let meter = Meter::start(case.count)?;
    run(case, tally);
    let figures = meter.stop(case.tasks)?;
    tally.check(case.tasks)?;
    Ok(figures)
}

/// Formats with commas between thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The empty label of a work with one case.
fn unnamed(_: &Case) -> String {
    String::new()
}

const NS: Shown = Shown {
    figure: "ns_per_task",
    heading: "ns a task",
    unit: 1.0,
    more_is_better: false,
};

const CPU_NS: Shown = Shown {
    figure: "cpu_ns_per_task",
    heading: "CPU ns a task",
    unit: 1.0,
    more_is_better: false,
};

const SECONDS: Shown = Shown {
    figure: "wall_s",
    heading: "seconds",
    unit: 1.0,
    more_is_better: false,
};

const PEAK: Shown = Shown {
    figure: "peak_rss_kib",
    heading: "peak MiB",
    unit: 1024.0,
    more_is_better: false,
};

const ALLOCATIONS: Shown = Shown {
    figure: "allocs_per_task",
    heading: "mallocs a task",
    unit: 1.0,
    more_is_better: false,
};

const BYTES: Shown = Shown {
    figure: "bytes_per_task",
    heading: "bytes a task",
    unit: 1.0,
    more_is_better: false,
};
