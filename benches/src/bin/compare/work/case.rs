//! The parameters of a run.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::echo::EchoCase;
use super::mixed::MixedCase;
use crate::tally::Tally;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) effort: Effort,
    /// Workers per pool, unless the work sets them.
    pub(crate) threads: usize,
    /// Numbers of connections to the echo servers.
    pub(crate) connections: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    Full,
    /// Roughly right figures.
    Quick,
    /// Checks that everything runs.
    Smoke,
}

impl Effort {
    /// Selects the value for this effort.
    pub(super) fn of<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}

/// The parameters of one run of a work.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
pub(crate) struct Case {
    /// Workers
    #[arg(long)]
    pub(crate) threads: usize,
    /// Most tasks in the pool at once; unbounded if omitted
    #[arg(long)]
    pub(crate) capacity: Option<usize>,
    /// Threads that submit
    #[arg(long)]
    pub(crate) producers: usize,
    #[arg(long)]
    pub(crate) tasks: usize,
    /// Length of the measurement, for works without a fixed number of tasks
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window_ms: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) echo: EchoCase,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) mix: MixedCase,
    /// Count allocations and tasks in the pool instead of measuring times
    #[arg(long)]
    #[serde(skip)]
    pub(crate) count: bool,
}

impl Case {
    /// A case with one producer and no bound.
    pub(super) fn new(threads: usize, tasks: usize) -> Self {
        Self {
            threads,
            capacity: None,
            producers: 1,
            tasks,
            window_ms: None,
            echo: EchoCase::default(),
            mix: MixedCase::default(),
            count: false,
        }
    }

    pub(super) fn capacity(self, capacity: usize) -> Self {
        Self {
            capacity: Some(capacity),
            ..self
        }
    }

    pub(super) fn window(self, effort: Effort, window: [u64; 3]) -> Self {
        let [long, short, least] = window;
        Self {
            window_ms: Some(effort.of(long, short, least)),
            ..self
        }
    }

    /// Returns the arguments for a peer's process.
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
        let EchoCase {
            wire,
            bytes,
            connections,
        } = self.echo;
        add("wire", wire.map(|wire| wire.name().to_owned()));
        add("bytes", bytes.map(|bytes| bytes.to_string()));
        add("connections", connections.map(|count| count.to_string()));
        let MixedCase { busy_us, yielders } = self.mix;
        add("busy-us", busy_us.map(|time| time.to_string()));
        add("yielders", yielders.map(|count| count.to_string()));
        if self.count {
            args.push("--count".to_owned());
        }
        args
    }

    pub(super) fn measured_time(&self) -> Duration {
        Duration::from_millis(self.window_ms.unwrap_or(1_000))
    }

    /// Returns a tally for this case's tasks. It checks the capacity in the round that counts
    /// allocations.
    pub(super) fn tally(&self) -> &'static Tally {
        Tally::new(self.capacity.filter(|_| self.count))
    }

    /// Returns the case for the warm-up: enough tasks to start the threads and touch the memory.
    pub(super) fn warm_up(&self) -> Self {
        Self {
            tasks: (self.tasks / 10).max(self.threads),
            ..self.clone()
        }
    }
}
