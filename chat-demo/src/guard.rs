//! What is done when the machine is at its limit: first nobody new is let in, then publishers are slowed. What was
//! accepted is never dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::machine::{Machine, Usage};

/// How often the machine is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Looks before anything is done, and before more is.
const PATIENCE: u32 = 5;
/// Of each look, in the mean that counts.
const WEIGHT: f64 = 0.3;
/// How far below its limit the usage must be, in percent, for a step back.
const MARGIN: f64 = 5.0;
/// How long a publish is held back at first, and at most.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// How the time grows from look to look, and how it shrinks.
const LONGER: f64 = 1.5;
const SHORTER: f64 = 0.75;

/// See the module's documentation.
pub(crate) struct Guard {
    limits: Limits,
    state: Mutex<State>,
    /// How long publishes are held back, in microseconds; apart, for each publish reads it.
    delay: AtomicU64,
}

/// In percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) cpu: Option<f64>,
    pub(crate) memory: Option<f64>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pressure {
    /// Nothing.
    #[default]
    None,
    /// Nobody new is let in.
    Refusing,
    /// Publishers are slowed, too.
    Slowing,
}

#[derive(Default)]
struct State {
    pressure: Pressure,
    /// The last look.
    usage: Usage,
    /// Over the last few.
    mean: Option<Usage>,
    /// Looks since the pressure has changed.
    looks: u32,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            delay: AtomicU64::new(0),
        }
    }

    /// Takes a look into account; tells the pressure when it has changed.
    pub(crate) fn observe(&self, usage: Usage) -> Option<Pressure> {
        let mut state = self.state.lock();
        state.usage = usage;
        let mean = state.mean.map_or(usage, |mean| mean.toward(usage, WEIGHT));
        state.mean = Some(mean);
        state.looks += 1;
        let over = self.limits.are_reached(&mean, 0.0);
        let under = !self.limits.are_reached(&mean, MARGIN);
        let patient = state.looks >= PATIENCE;
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
        (state.pressure != before).then(|| {
            state.looks = 0;
            state.pressure
        })
    }

    pub(crate) fn pressure(&self) -> Pressure {
        self.state.lock().pressure
    }

    /// The last look.
    pub(crate) fn usage(&self) -> Usage {
        self.state.lock().usage
    }

    /// How long each publish is held back.
    pub(crate) fn delay(&self) -> Duration {
        // Relaxed: a number by itself.
        Duration::from_micros(self.delay.load(Ordering::Relaxed))
    }

    /// Holds a publish back for as long as the pressure asks.
    pub(crate) async fn hold_back(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }

    /// What is at its limit, for people.
    pub(crate) fn reason(&self) -> String {
        let mean = self.state.lock().mean.unwrap_or_default();
        let Limits { cpu, memory } = self.limits;
        let of = |what, used: f64, limit: Option<f64>| {
            let limit = limit.filter(|limit| used >= limit - MARGIN)?;
            Some(format!("{what} {used:.0} % of {limit:.0} %"))
        };
        let both = [
            of("processors at", mean.cpu_percent, cpu),
            of("memory at", mean.memory_percent, memory),
        ];
        both.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn delay_by(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delay.store(micros, Ordering::Relaxed);
    }
}

/// Looks at the machine until the server drains.
pub(crate) async fn watch(guard: Arc<Guard>, draining: CancellationToken) {
    let mut machine = Machine::new();
    let mut ticks = interval(EVERY);
    // The first comes at once, and there is nothing to see yet.
    ticks.tick().await;
    while draining.run_until_cancelled(ticks.tick()).await.is_some() {
        match guard.observe(machine.look()) {
            None => {}
            Some(Pressure::None) => tracing::info!("{}", Pressure::None),
            Some(pressure) => tracing::warn!("{pressure}: {}", guard.reason()),
        }
    }
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let limit = |percent: u8| (percent > 0).then(|| f64::from(percent));
        Self {
            cpu: limit(config.max_cpu),
            memory: limit(config.max_memory),
        }
    }

    /// Whether one is reached, or less than so much below.
    fn are_reached(&self, usage: &Usage, margin: f64) -> bool {
        let reached =
            |used: f64, limit: Option<f64>| limit.is_some_and(|limit| used >= limit - margin);
        reached(usage.cpu_percent, self.cpu) || reached(usage.memory_percent, self.memory)
    }
}

impl Pressure {
    /// For metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Refusing => "refusing",
            Self::Slowing => "slowing",
        }
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "newcomers are let in again",
            Self::Refusing => "newcomers are refused",
            Self::Slowing => "newcomers are refused, and publishers slowed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(Limits {
            cpu: Some(85.0),
            memory: Some(90.0),
        })
    }

    fn usage(cpu_percent: f64, memory_percent: f64) -> Usage {
        Usage {
            cpu_percent,
            memory_percent,
            memory_bytes: 1,
        }
    }

    /// The changes over so many looks, with their numbers.
    fn changes(guard: &Guard, looks: usize, usage: Usage) -> Vec<(usize, Pressure)> {
        let change = |look| guard.observe(usage).map(|pressure| (look, pressure));
        (1..=looks).filter_map(change).collect()
    }

    #[test]
    fn it_refuses_first_and_slows_when_that_is_not_enough() {
        let guard = guard();
        assert_eq!(
            changes(&guard, 10, usage(95.0, 20.0)),
            [(5, Pressure::Refusing), (10, Pressure::Slowing)]
        );
        assert_eq!(guard.delay(), FIRST);
        assert_eq!(guard.reason(), "processors at 95 % of 85 %");
    }

    #[test]
    fn a_moment_is_no_limit() {
        let guard = guard();
        for _ in 0..20 {
            assert_eq!(changes(&guard, 10, usage(40.0, 20.0)), []);
            assert_eq!(changes(&guard, 2, usage(100.0, 20.0)), []);
        }
    }

    #[test]
    fn memory_counts_as_well() {
        let guard = guard();
        assert_eq!(
            changes(&guard, 5, usage(10.0, 93.0)),
            [(5, Pressure::Refusing)]
        );
        assert_eq!(guard.reason(), "memory at 93 % of 90 %");
    }

    #[test]
    fn publishers_wait_longer_while_it_lasts_and_never_for_ever() {
        let guard = guard();
        changes(&guard, 100, usage(99.0, 20.0));
        assert_eq!(guard.delay(), LONGEST);
    }

    #[test]
    fn it_gives_way_step_by_step() {
        let guard = guard();
        changes(&guard, 20, usage(95.0, 20.0));
        let back = changes(&guard, 100, usage(50.0, 20.0));
        let states: Vec<_> = back.iter().map(|(_, pressure)| *pressure).collect();
        assert_eq!(states, [Pressure::Refusing, Pressure::None]);
        assert_eq!(guard.delay(), Duration::ZERO);
    }

    #[test]
    fn just_below_the_limit_all_stays_as_it_is() {
        let guard = guard();
        changes(&guard, 20, usage(95.0, 20.0));
        changes(&guard, 20, usage(82.0, 20.0));
        let delay = guard.delay();
        assert_eq!(changes(&guard, 100, usage(82.0, 20.0)), []);
        assert_eq!(guard.delay(), delay);
    }

    #[test]
    fn without_limits_nothing_is_done() {
        let guard = Guard::new(Limits {
            cpu: None,
            memory: None,
        });
        assert_eq!(changes(&guard, 100, usage(100.0, 100.0)), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_publish_is_held_back_for_the_delay() {
        let guard = guard();
        let held = async || {
            let start = tokio::time::Instant::now();
            guard.hold_back().await;
            start.elapsed()
        };
        assert_eq!(held().await, Duration::ZERO);
        changes(&guard, 10, usage(95.0, 20.0));
        assert!(held().await >= FIRST);
    }
}
