//! The result of a search: the limit, what bounds it, and what to change.

use askama::Template;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumMessage};

use super::goals::{Goal, Goals, Step, mean};

/// The share of its goal at which a resource counts as the bound.
const NEARLY: f64 = 0.9;

/// The highest load that meets the goals.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Template)]
#[template(path = "limit.txt")]
pub struct Limit {
    /// Messages a second over all rooms; 0 if no rate met the goals.
    pub rate: f64,
    /// Deliveries a second at this rate.
    pub deliveries_per_s: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// The CPU load of the server's machine.
    pub cpu_percent: Option<f64>,
    /// The memory used on the server's machine.
    pub memory_percent: Option<f64>,
    /// What bounds the load.
    pub bound_by: Bound,
    /// What to change.
    pub advice: String,
    /// How much a repeated run may differ, in percent of the rate.
    pub noise_percent: f64,
    /// The goals.
    pub goals: Goals,
    /// The options of the server, if the load generator started it.
    pub options: Vec<String>,
    /// The result of each search.
    pub limits: Vec<f64>,
    /// All steps, in order.
    pub steps: Vec<Step>,
}

/// What bounds the load. The documentation of a variant is the advice to the user.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumMessage,
)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The highest allowed rate still met the goals. Raise --max-rate, or add connections.
    #[strum(to_string = "nothing")]
    #[default]
    Nothing,
    /// The CPU is full. Find the expensive code (--profile), or give the server more cores.
    #[strum(to_string = "the CPU")]
    Cpu,
    /// The memory is full. Buffer less (--outbox-frames, --outbox-bytes, --history-bytes), or give
    /// the server more memory.
    #[strum(to_string = "the memory")]
    Memory,
    /// CPU and memory are full at once. Send fewer or smaller messages, or add servers.
    #[strum(to_string = "CPU and memory")]
    CpuAndMemory,
    /// Neither CPU nor memory are full, so messages wait for something else. Check what waits in
    /// the pools, then the network.
    #[strum(to_string = "latency")]
    Latency,
    /// Neither CPU nor memory are full, but messages are lost or connections end. Check the kinds
    /// of errors, and clients dropped as too slow (--outbox-frames, --outbox-bytes).
    #[strum(to_string = "loss")]
    Loss,
    /// The load generator uses more CPU than the server. Run it on another machine: the server can
    /// do more than this.
    #[strum(to_string = "the load generator")]
    LoadGenerator,
    /// Other programs use more CPU than server and load generator together, so the result says
    /// nothing about the server. End them and measure again.
    #[strum(to_string = "other programs on the machine")]
    Others,
}

impl Limit {
    /// Returns the step nearest to a rate that met the goals; of several, the last.
    pub(super) fn nearest_held(&self, rate: f64) -> Option<usize> {
        let apart = |step: &Step| (step.rate / rate).ln().abs();
        let held = self.steps.iter().enumerate().rev();
        held.filter(|(_, step)| step.held())
            .min_by(|(_, one), (_, other)| apart(one).total_cmp(&apart(other)))
            .map(|(number, _)| number)
    }

    /// Returns the failed steps at the lowest failing rate above the limit.
    pub(super) fn just_above(&self) -> Vec<&Step> {
        let above = |step: &&Step| !step.held() && step.rate > self.rate;
        let broken = || self.steps.iter().filter(above);
        let lowest = broken().map(|step| step.rate).fold(f64::INFINITY, f64::min);
        broken().filter(|step| step.rate <= lowest).collect()
    }
}

impl Bound {
    /// Returns what bounded the failed steps, on a machine with so many CPUs.
    pub(super) fn of(broken: &[&Step], goals: &Goals, cpus: f64) -> Self {
        if broken.is_empty() {
            return Self::Nothing;
        }
        let average = |value: fn(&Step) -> Option<f64>| {
            mean(broken.iter().filter_map(|step| value(step))).unwrap_or(0.0)
        };
        let server = average(|step| step.server_cpu_percent);
        let own = average(|step| Some(step.own_cpu_percent));
        let busy = average(|step| step.cpu_percent) >= NEARLY * goals.cpu_percent;
        let foreign = busy && average(|step| step.others_cpu_percent) * cpus > server + own;
        let cpu = busy && !foreign;
        let memory = average(|step| step.memory_percent) >= NEARLY * goals.memory_percent;
        // On a shared machine, the load generator is the bound before it fills the machine alone.
        let overworked = cpu && own > server || own >= NEARLY * goals.cpu_percent * cpus;
        let lossy = broken
            .iter()
            .filter(|step| step.broke.contains(&Goal::Loss));
        match (cpu, memory) {
            _ if overworked => Self::LoadGenerator,
            (true, true) => Self::CpuAndMemory,
            (true, false) => Self::Cpu,
            (false, true) => Self::Memory,
            (false, false) if foreign => Self::Others,
            (false, false) if lossy.count() * 2 > broken.len() => Self::Loss,
            (false, false) => Self::Latency,
        }
    }

    /// Returns what to change.
    #[must_use]
    pub fn advice(self) -> String {
        let lines = self.get_documentation().unwrap_or_default();
        lines.trim().replace('\n', " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOALS: Goals = Goals {
        p99_ms: 50.0,
        cpu_percent: 85.0,
        memory_percent: 90.0,
    };

    fn step(cpu: f64, memory: f64, server: f64, own: f64, broke: Goal) -> Step {
        Step {
            cpu_percent: Some(cpu),
            memory_percent: Some(memory),
            server_cpu_percent: Some(server),
            own_cpu_percent: own,
            broke: vec![broke],
            ..Step::default()
        }
    }

    #[test]
    fn the_bound_follows_from_cpu_memory_and_errors() {
        let late = Goal::Latency;
        for (step, bound) in [
            (step(90.0, 20.0, 120.0, 50.0, Goal::Cpu), Bound::Cpu),
            (step(80.0, 20.0, 120.0, 50.0, late), Bound::Cpu),
            (step(20.0, 95.0, 120.0, 50.0, Goal::Memory), Bound::Memory),
            (step(90.0, 95.0, 120.0, 50.0, late), Bound::CpuAndMemory),
            (step(40.0, 20.0, 120.0, 50.0, late), Bound::Latency),
            (step(40.0, 20.0, 120.0, 50.0, Goal::Loss), Bound::Loss),
            // The load generator uses more than half of a full machine.
            (step(90.0, 20.0, 50.0, 120.0, late), Bound::LoadGenerator),
            // The load generator fills a machine of its own.
            (step(30.0, 20.0, 300.0, 190.0, late), Bound::LoadGenerator),
        ] {
            assert_eq!(Bound::of(&[&step], &GOALS, 2.0), bound, "{step}");
        }
        let others = Step {
            others_cpu_percent: Some(60.0),
            ..step(95.0, 20.0, 40.0, 30.0, Goal::Cpu)
        };
        assert_eq!(Bound::of(&[&others], &GOALS, 2.0), Bound::Others);
        assert_eq!(Bound::of(&[], &GOALS, 2.0), Bound::Nothing);
    }

    #[test]
    fn the_lowest_failing_rate_above_the_limit_counts() {
        let step = |rate, broke: &[Goal]| Step {
            rate,
            broke: broke.to_vec(),
            ..Step::default()
        };
        let limit = Limit {
            rate: 100.0,
            steps: vec![
                step(50.0, &[Goal::Latency]),
                step(100.0, &[]),
                step(160.0, &[Goal::Loss]),
                step(105.0, &[Goal::Cpu]),
                step(105.0, &[Goal::Latency]),
                step(104.0, &[]),
                step(100.0, &[]),
            ],
            ..Limit::default()
        };
        let broke: Vec<_> = limit
            .just_above()
            .iter()
            .flat_map(|s| s.broke.clone())
            .collect();
        assert_eq!(broke, [Goal::Cpu, Goal::Latency]);
        assert_eq!(limit.nearest_held(100.0), Some(6));
        assert_eq!(limit.nearest_held(105.0), Some(5));
        assert_eq!(Limit::default().nearest_held(1.0), None);
    }

    #[test]
    fn a_limit_prints_its_noise_and_advice() {
        let mut limit = Limit {
            rate: 1000.0,
            noise_percent: 12.0,
            bound_by: Bound::Cpu,
            advice: Bound::Cpu.advice(),
            ..Limit::default()
        };
        let text = limit.to_string();
        assert!(
            text.contains("1000.0 messages/s ± 12 %") && text.contains("--profile"),
            "{text}"
        );
        limit.rate = 0.0;
        assert!(limit.to_string().contains("no rate met the goals"));
    }

    #[test]
    fn advice_is_one_line() {
        let advice = Bound::Memory.advice();
        assert!(
            advice.ends_with(", or give the server more memory."),
            "{advice}"
        );
    }
}
