//! The goals of a search, and the figures of a step of load.

use askama::Template;
use clap::Args;
use serde::{Deserialize, Serialize};
use strum::Display;

use super::moments::PoolMoment;
use super::parse::{percent, some_ms};

/// CPU time of no process is partly the kernel's socket work. More than this is other programs.
const MANY_OTHERS_PERCENT: f64 = 30.0;

/// The share of CPU time that the host of a virtual machine may steal. More delays every process.
const MUCH_STOLEN_PERCENT: f64 = 1.0;

/// The goals that a load must meet.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Goals {
    /// Goal: latency of 99 of 100 deliveries
    #[arg(long = "p99", value_name = "TIME", default_value = "50ms", value_parser = some_ms, requires = "find_limit")]
    pub p99_ms: f64,
    /// Goal: CPU load of the server's machine, in percent
    #[arg(long = "cpu", value_name = "PERCENT", default_value = "85", value_parser = percent, requires = "find_limit")]
    pub cpu_percent: f64,
    /// Goal: memory used on the server's machine, in percent
    #[arg(long = "memory", value_name = "PERCENT", default_value = "90", value_parser = percent, requires = "find_limit")]
    pub memory_percent: f64,
}

/// One of the goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The CPU time stays below its goal.
    #[strum(to_string = "CPU")]
    Cpu,
    /// The memory stays below its goal.
    #[strum(to_string = "memory")]
    Memory,
    /// The latency stays below its goal.
    #[strum(to_string = "latency")]
    Latency,
    /// Every message arrives once and in order, without errors.
    #[strum(to_string = "loss")]
    Loss,
}

/// One step of load: a rate of messages for a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Template)]
#[template(path = "step.txt")]
pub struct Step {
    /// The intended rate, in messages a second over all rooms.
    pub rate: f64,
    /// The number of its search, from 1.
    pub search: usize,
    /// Deliveries a second.
    pub deliveries_per_s: f64,
    /// Half of the deliveries took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// The mean CPU load of the server's machine, by all processes.
    pub cpu_percent: Option<f64>,
    /// The most memory used on the server's machine.
    pub memory_percent: Option<f64>,
    /// The mean CPU load of the server; 100 is one CPU.
    pub server_cpu_percent: Option<f64>,
    /// The CPU load of the load generator; 100 is one CPU.
    pub own_cpu_percent: f64,
    /// The CPU load of other programs, if server and load generator share a machine.
    pub others_cpu_percent: Option<f64>,
    /// The mean CPU time that the host of a virtual machine stole from the load generator's
    /// machine.
    pub stolen_percent: Option<f64>,
    /// Lost, repeated and reordered deliveries, and errors.
    pub wrong: u64,
    /// The highest figures of the server's pool for fan-out.
    pub fanout: Option<PoolMoment>,
    /// The goals that it missed.
    pub broke: Vec<Goal>,
}

impl Step {
    /// Returns whether the result says nothing about the server: the step missed a goal while other
    /// programs, or other machines of the same host, used much of the CPU.
    pub(super) fn is_disturbed(&self) -> bool {
        let of_processors = |goal: &Goal| matches!(goal, Goal::Cpu | Goal::Latency);
        let disturbed = above(self.others_cpu_percent, MANY_OTHERS_PERCENT)
            || above(self.stolen_percent, MUCH_STOLEN_PERCENT);
        disturbed && !self.held() && self.broke.iter().all(of_processors)
    }

    /// Returns whether it met the goals.
    #[must_use]
    pub fn held(&self) -> bool {
        self.broke.is_empty()
    }
}

pub(super) fn above(value: Option<f64>, bound: f64) -> bool {
    value.is_some_and(|value| value > bound)
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, all) = values.fold((0.0, 0.0), |(sum, all), value| (sum + value, all + 1.0));
    (all > 0.0).then(|| sum / all)
}
