//! What is measured. One module a work: its cases, who takes part, and how a part is played.

mod blocking;
mod echo;
mod expiry;
mod idle;
mod latency;
mod noop;
mod sleeps;
mod spin;
mod tree;
mod waiting;
mod yields;

pub(crate) use self::echo::{Asked, ServerArgs, load, serve};

use std::io;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

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
pub(crate) static ALL: [Work; 12] = [
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
];

/// How much is done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) effort: Effort,
    /// Workers of each pool, unless the work says otherwise.
    pub(crate) threads: usize,
    /// Numbers of connections to the echo servers.
    pub(crate) connections: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    Full,
    /// To see roughly where things stand.
    Quick,
    /// To see that everything works.
    Smoke,
}

impl Effort {
    /// What it says for each effort.
    fn of<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}

/// What a part is played with.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub(crate) struct Case {
    /// Workers
    #[arg(long)]
    pub(crate) threads: usize,
    /// Most tasks in the pool at once; without it there is no bound
    #[arg(long)]
    pub(crate) capacity: Option<usize>,
    /// Threads that submit
    #[arg(long)]
    pub(crate) producers: usize,
    #[arg(long)]
    pub(crate) tasks: usize,
    /// How long is measured, where that is not until all tasks have run
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window_ms: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) echo: Asked,
    /// Count what is allocated, and how many tasks are in the pool, instead of measuring times
    #[arg(long)]
    #[serde(skip)]
    pub(crate) count: bool,
}

impl Case {
    /// One producer, no bound.
    fn new(threads: usize, tasks: usize) -> Self {
        Self {
            threads,
            capacity: None,
            producers: 1,
            tasks,
            window_ms: None,
            echo: Asked::default(),
            count: false,
        }
    }

    fn capacity(self, capacity: usize) -> Self {
        Self {
            capacity: Some(capacity),
            ..self
        }
    }

    fn window(self, effort: Effort, window: [u64; 3]) -> Self {
        let [long, short, least] = window;
        Self {
            window_ms: Some(effort.of(long, short, least)),
            ..self
        }
    }

    /// As the arguments of a peer's process.
    pub(crate) fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                args.extend([format!("--{name}"), value]);
            }
        };
        add("threads", Some(self.threads.to_string()));
        add("capacity", self.capacity.map(|most| most.to_string()));
        add("producers", Some(self.producers.to_string()));
        add("tasks", Some(self.tasks.to_string()));
        add("window-ms", self.window_ms.map(|time| time.to_string()));
        let Asked {
            wire,
            bytes,
            connections,
        } = self.echo;
        add("wire", wire.map(|wire| wire.name().to_owned()));
        add("bytes", bytes.map(|bytes| bytes.to_string()));
        add("connections", connections.map(|count| count.to_string()));
        if self.count {
            args.push("--count".to_owned());
        }
        args
    }

    fn watched(&self) -> Duration {
        Duration::from_millis(self.window_ms.unwrap_or(1_000))
    }

    /// Counts this case's tasks, and sees to the bound in the round that counts.
    fn tally(&self) -> &'static Tally {
        Tally::new(self.capacity.filter(|_| self.count))
    }

    /// Tasks before it counts: enough for threads to be there and memory to be touched.
    fn warm_up(&self) -> Self {
        Self {
            tasks: (self.tasks / 10).max(self.threads),
            ..self.clone()
        }
    }
}

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
