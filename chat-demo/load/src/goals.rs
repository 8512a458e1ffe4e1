//! What a step of load showed, and whether it kept its goals.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::moments::PoolMoment;

/// Some of what nobody's process has is the kernel's own, for the sockets of ours; what is above are other programs.
const MANY_OTHERS_PERCENT: f64 = 30.0;

/// So much of a virtual machine's processors may be its host's for others: more, and all that runs on it comes late.
const MUCH_STOLEN_PERCENT: f64 = 1.0;

/// What a load must keep to count as borne.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Goals {
    /// 99 of 100 deliveries take no longer, in milliseconds.
    pub p99_ms: f64,
    /// Processors busy at most, in percent of the machine.
    pub cpu_percent: f64,
    /// Memory taken at most, in percent of the machine.
    pub memory_percent: f64,
}

/// One of the goals; that nothing is lost is one, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The processors have room to spare.
    Cpu,
    /// The memory has.
    Memory,
    /// Messages come in time.
    Latency,
    /// Each comes once and in order, and nothing else goes wrong.
    Loss,
}

/// One step of load: so many messages a second, for a while.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// Messages a second that were to be sent, over all rooms.
    pub rate: f64,
    /// Which of the searches it belongs to, from 1.
    pub search: usize,
    /// What came of it.
    pub deliveries_per_s: f64,
    /// Half of the deliveries took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// Of the server's machine, all that runs there together; the mean.
    pub cpu_percent: Option<f64>,
    /// The same of its memory; the most.
    pub memory_percent: Option<f64>,
    /// Of the server's process, 100 is one processor; the mean.
    pub server_cpu_percent: Option<f64>,
    /// Of the load generator itself, 100 is one processor.
    pub own_cpu_percent: f64,
    /// Of the machine, what is neither the server's nor the load generator's, where both run on it.
    pub others_cpu_percent: Option<f64>,
    /// Of the load generator's machine, what its host gave to others, where it is a virtual one; the mean.
    pub stolen_percent: Option<f64>,
    /// Deliveries that did not come, came twice or late, and errors.
    pub wrong: u64,
    /// The most that was seen in the server's pool for fan-out.
    pub fanout: Option<PoolMoment>,
    /// The goals that it did not keep.
    pub broke: Vec<Goal>,
}

impl Step {
    /// Whether it says nothing of the server: it broke while other programs, or other machines on the same host, took much
    /// of the processors.
    pub(super) fn is_disturbed(&self) -> bool {
        let others = self.others_cpu_percent;
        let much = others.is_some_and(|others| others > MANY_OTHERS_PERCENT);
        let stolen = self.stolen_percent;
        let stolen = stolen.is_some_and(|stolen| stolen > MUCH_STOLEN_PERCENT);
        let of_processors = |goal: &Goal| matches!(goal, Goal::Cpu | Goal::Latency);
        !self.held() && self.broke.iter().all(of_processors) && (much || stolen)
    }

    /// Whether it kept the goals.
    #[must_use]
    pub fn held(&self) -> bool {
        self.broke.is_empty()
    }
}

/// For people: one line.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rate,
            deliveries_per_s,
            p50_ms,
            p99_ms,
            ..
        } = self;
        write!(
            f,
            "{rate:.1}/s: {deliveries_per_s:.0} deliveries/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"
        )?;
        if let Some(cpu) = self.cpu_percent {
            write!(f, ", CPU {cpu:.0} %")?;
        }
        if let Some(memory) = self.memory_percent {
            write!(f, ", memory {memory:.0} %")?;
        }
        if let Some(stolen) = self.stolen_percent.filter(|stolen| *stolen >= 1.0) {
            write!(f, ", {stolen:.0} % stolen by the host")?;
        }
        if self.wrong > 0 {
            write!(f, ", {} wrong", self.wrong)?;
        }
        if self.held() {
            return write!(f, ": holds");
        }
        write!(f, ": breaks ")?;
        for (n, goal) in self.broke.iter().enumerate() {
            write!(f, "{}{goal}", if n > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Latency => "latency",
            Self::Loss => "loss",
        })
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, all) = values.fold((0.0, 0.0), |(sum, all), value| (sum + value, all + 1.0));
    (all > 0.0).then(|| sum / all)
}
