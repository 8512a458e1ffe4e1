//! With how much of everything a part is played.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::echo::Asked;
use super::mixed::Mix;
use crate::tally::Tally;

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
    pub(super) fn of<T>(self, full: T, quick: T, smoke: T) -> T {
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
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) mix: Mix,
    /// Count what is allocated, and how many tasks are in the pool, instead of measuring times
    #[arg(long)]
    #[serde(skip)]
    pub(crate) count: bool,
}

impl Case {
    /// One producer, no bound.
    pub(super) fn new(threads: usize, tasks: usize) -> Self {
        Self {
            threads,
            capacity: None,
            producers: 1,
            tasks,
            window_ms: None,
            echo: Asked::default(),
            mix: Mix::default(),
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
        let Mix { busy_us, yielders } = self.mix;
        add("busy-us", busy_us.map(|time| time.to_string()));
        add("yielders", yielders.map(|count| count.to_string()));
        if self.count {
            args.push("--count".to_owned());
        }
        args
    }

    pub(super) fn watched(&self) -> Duration {
        Duration::from_millis(self.window_ms.unwrap_or(1_000))
    }

    /// Counts this case's tasks, and sees to the bound in the round that counts.
    pub(super) fn tally(&self) -> &'static Tally {
        Tally::new(self.capacity.filter(|_| self.count))
    }

    /// Tasks before it counts: enough for threads to be there and memory to be touched.
    pub(super) fn warm_up(&self) -> Self {
        Self {
            tasks: (self.tasks / 10).max(self.threads),
            ..self.clone()
        }
    }
}
