//! Protects the server at its CPU or memory limit: it first refuses new connections, then slows
//! publishers. It never drops accepted work. Other programs do not count, because refusing clients
//! does not stop them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use strum::{EnumMessage, IntoStaticStr};
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Config;
use crate::machine::{Machine, Snapshot, Usage};

/// How often the server is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Looks before anything is done, and before more is.
const PATIENCE: u32 = 5;
/// Of each look, in the mean that counts.
const WEIGHT: f64 = 0.3;
/// How far usage must fall below its limit, in percent, to lower the pressure.
const MARGIN: f64 = 5.0;
/// How long a publish is held back at first, and at most.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// How the time grows from look to look, and how it shrinks.
const LONGER: f64 = 1.5;
const SHORTER: f64 = 0.75;

pub(crate) struct Guard {
    limits: Limits,
    state: Mutex<State>,
    /// How long each publish is delayed, in microseconds. Separate, because each publish reads it.
    delay: AtomicU64,
}

/// In percent of what the server may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) cpu: Option<f64>,
    pub(crate) memory: Option<f64>,
    /// Connections that are always admitted.
    pub(crate) always_admitted: usize,
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumMessage, IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Pressure {
    #[default]
    #[strum(message = "new connections are accepted again")]
    None,
    #[strum(message = "new connections are refused")]
    Refusing,
    #[strum(message = "new connections are refused, and publishers are slowed")]
    Slowing,
}

#[derive(Default)]
struct State {
    pressure: Pressure,
    machine: Usage,
    /// What the server itself uses, over the last few samples.
    mean: Option<Usage>,
    /// What is at its limit, or was since there is pressure.
    cause: Cause,
    /// Looks since the pressure has changed.
    samples: u32,
}

#[derive(Clone, Copy, Default)]
struct Cause {
    cpu: bool,
    memory: bool,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            delay: AtomicU64::new(0),
        }
    }

    /// Records a measurement. Returns the pressure if it changed.
    pub(crate) fn observe(&self, snapshot: Snapshot) -> Option<Pressure> {
        let mut state = self.state.lock();
        let usage = snapshot.own;
        state.machine = snapshot.machine;
        let mean = state.mean.map_or(usage, |mean| mean.toward(usage, WEIGHT));
        state.mean = Some(mean);
        state.samples += 1;
        let reached = self.limits.reached(&mean, 0.0);
        let (over, under) = (reached.any(), !self.limits.reached(&mean, MARGIN).any());
        if over {
            state.cause.cpu |= reached.cpu;
            state.cause.memory |= reached.memory;
        }
        let patient = state.samples >= PATIENCE;
        let before = state.pressure;
        match before {
            Pressure::None if over && patient => state.pressure = Pressure::Refusing,
            Pressure::Refusing if over && patient => {
                state.pressure = Pressure::Slowing;
                self.delay_by(FIRST);
            }
            Pressure::Refusing if under && patient => state.pressure = Pressure::None,
            Pressure::Slowing if over => self.delay_by(self.delay().mul_f64(LONGER).min(LONGEST)),
            Pressure::Slowing if under => {
                let shorter = self.delay().mul_f64(SHORTER);
                if shorter < FIRST {
                    state.pressure = Pressure::Refusing;
                    self.delay_by(Duration::ZERO);
                } else {
                    self.delay_by(shorter);
                }
            }
            _ => {}
        }
        if state.pressure == Pressure::None && !over {
            state.cause = Cause::default();
        }
        (state.pressure != before).then(|| {
            state.samples = 0;
            state.pressure
        })
    }

    pub(crate) fn pressure(&self) -> Pressure {
        self.state.lock().pressure
    }

    pub(crate) fn machine(&self) -> Usage {
        self.state.lock().machine
    }

    /// Returns why a new connection is refused at this number of connections, if it is.
    pub(crate) fn refuses(&self, connections: usize) -> Option<String> {
        (self.pressure() > Pressure::None && connections >= self.limits.always_admitted)
            .then(|| self.reason())
    }

    pub(crate) fn delay(&self) -> Duration {
        // Relaxed: the value stands alone.
        Duration::from_micros(self.delay.load(Ordering::Relaxed))
    }

    /// Holds a publish back for as long as the pressure asks.
    pub(crate) async fn hold_back(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }

    /// Returns which limit is reached, as a constant text for clients.
    fn reason(&self) -> String {
        let reasons =
            self.reasons(|what, _, option, limit| format!("{what} ({option} {limit:.0})"));
        format!("the server is at its limit: {reasons}")
    }

    /// The same for the log, with what is used.
    fn details(&self) -> String {
        self.reasons(|what, used, option, limit| {
            format!("the server uses {used:.0} % of its {what}, and {option} is {limit:.0}")
        })
    }

    fn reasons(&self, describe: impl Fn(&str, f64, &str, f64) -> String) -> String {
        let state = self.state.lock();
        let (cause, mean) = (state.cause, state.mean.unwrap_or_default());
        drop(state);
        let cpu = self.limits.cpu.filter(|_| cause.cpu);
        let memory = self.limits.memory.filter(|_| cause.memory);
        let both = [
            cpu.map(|limit| describe("processors", mean.cpu_percent, "--max-cpu", limit)),
            memory.map(|limit| describe("memory", mean.memory_percent, "--max-memory", limit)),
        ];
        both.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn delay_by(&self, delay: Duration) {
        self.delay.store(clock::micros(delay), Ordering::Relaxed);
    }
}

/// Looks at the server and its machine until it drains.
pub(crate) async fn watch(guard: Arc<Guard>, draining: CancellationToken) {
    let mut machine = Machine::new();
    let mut ticks = interval(EVERY);
    // The first comes at once, and there is nothing to see yet.
    ticks.tick().await;
    while draining.run_until_cancelled(ticks.tick()).await.is_some() {
        let changed = guard.observe(machine.snapshot());
        let text = changed.and_then(|pressure| pressure.get_message());
        match (changed, text.unwrap_or_default()) {
            (None, _) => {}
            (Some(Pressure::None), text) => tracing::info!("{text}"),
            (Some(_), text) => tracing::warn!(details = %guard.details(), "{text}"),
        }
    }
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let limit = |percent: u8| (percent > 0).then(|| f64::from(percent));
        Self {
            cpu: limit(config.max_cpu),
            memory: limit(config.max_memory),
            always_admitted: config.always_admit,
        }
    }

    /// Which are reached, or less than so much below.
    fn reached(&self, usage: &Usage, margin: f64) -> Cause {
        let reached =
            |used: f64, limit: Option<f64>| limit.is_some_and(|limit| used >= limit - margin);
        Cause {
            cpu: reached(usage.cpu_percent, self.cpu),
            memory: reached(usage.memory_percent, self.memory),
        }
    }
}

impl Cause {
    fn any(self) -> bool {
        self.cpu || self.memory
    }
}

#[cfg(test)]
mod tests;
