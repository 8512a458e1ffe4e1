//! What is measured. One module a work: its cases, who takes part, and how a part is played.

mod blocking;
mod case;
mod echo;
mod expiry;
mod idle;
mod latency;
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
    Anthill, AsyncExecutor, Bounded, Channel, Executors, Peer, Rayon, RustyPool, Threadpool, Tokio,
    TokioBlocking,
};
use crate::tally::Tally;

/// A measurement with all its cases and peers.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What is done, for the heading.
    pub(crate) about: &'static str,
    pub(crate) cases: fn(&Plan) -> Vec<Case>,
    /// Tells a case from the others of this work.
    pub(crate) label: fn(&Case) -> String,
    pub(crate) players: fn() -> Vec<Player>,
    /// Of a long work fewer.
    pub(crate) most_rounds: usize,
    /// Whether a round more counts what is allocated, and how many tasks are in the pool.
    pub(crate) counted: bool,
    /// Whether a peer of another language gives a server to the client of this program, and measures nothing itself.
    pub(crate) serves: bool,
    /// What the summary shows.
    pub(crate) shown: &'static [Shown],
}

/// A figure as it is shown.
pub(crate) struct Shown {
    pub(crate) figure: &'static str,
    pub(crate) heading: &'static str,
    /// What the figure is divided by.
    pub(crate) unit: f64,
    pub(crate) more_is_better: bool,
}

/// All, in the order in which they are measured.
pub(crate) static ALL: [Work; 14] = [
    noop::WORK,
    spin::ONE_US,
    spin::TEN_US,
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

/// One peer's way to play a part.
pub(crate) struct Player {
    pub(crate) name: &'static str,
    pub(crate) crate_name: &'static str,
    /// Whether it has a bound of its own, and needs no semaphore.
    pub(crate) bounds: bool,
    pub(crate) play: fn(&Case) -> io::Result<Figures>,
}

impl Player {
    fn of<P: Peer>(play: fn(&Case) -> io::Result<Figures>) -> Self {
        Self {
            name: P::NAME,
            crate_name: P::CRATE,
            bounds: P::BOUNDS,
            play,
        }
    }
}

/// A work that any pool of closures can do.
trait OfClosures {
    fn play<P: Peer>(case: &Case) -> io::Result<Figures>;
}

fn player<W: OfClosures, P: Peer>() -> Player {
    Player::of::<P>(|case| {
        if P::BOUNDS || case.capacity.is_none() {
            W::play::<P>(case)
        } else {
            W::play::<Bounded<P>>(case)
        }
    })
}

/// All pools of closures.
fn players<W: OfClosures>() -> Vec<Player> {
    vec![
        player::<W, Anthill>(),
        player::<W, Channel>(),
        player::<W, Executors>(),
        player::<W, RustyPool>(),
        player::<W, Threadpool>(),
        player::<W, Rayon>(),
        player::<W, AsyncExecutor>(),
        player::<W, Tokio>(),
        player::<W, TokioBlocking>(),
    ]
}

/// A pool for as long as the process lives.
fn kept<P: Peer>(case: &Case) -> &'static P {
    Box::leak(Box::new(P::new(case.threads, case.capacity)))
}

/// Has the producers call `submit` once for each task, on threads of their own if there are several.
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

/// Measures how long it takes from the first submit until all tasks have run, after a tenth of it to warm up.
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

/// With thousands separated.
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

/// Without a name where a work has one case.
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
