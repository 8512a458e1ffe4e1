//! The load of the machine, or of the part that this process may use, and the share of this
//! process.

use std::mem;
use std::thread;
use std::time::Instant;

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::cgroup;
use crate::process::Process;

/// The processors that the system lets this process use at once.
pub(crate) fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) struct Machine {
    system: System,
    /// Processors that this process may use; parts of one where its cgroup has a quota.
    processors: f64,
    /// When this process was looked at last, and its processor time then.
    before: (Instant, f64),
}

/// What is used, by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// CPU load of all processes of the machine, or of this process's cgroup.
    pub(crate) machine: Usage,
    /// By this process, of what it may use.
    pub(crate) own: Usage,
}

/// What is used of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_percent: f64,
    /// All the memory that there is.
    pub(crate) memory_bytes: u64,
}

impl Usage {
    /// So much of the way from here to there.
    pub(crate) fn toward(self, other: Self, share: f64) -> Self {
        let between = |from: f64, to: f64| from + share * (to - from);
        Self {
            cpu_percent: between(self.cpu_percent, other.cpu_percent),
            memory_percent: between(self.memory_percent, other.memory_percent),
            ..other
        }
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        let cpu = CpuRefreshKind::nothing().with_cpu_usage();
        let memory = MemoryRefreshKind::nothing().with_ram();
        let what = RefreshKind::nothing().with_cpu(cpu).with_memory(memory);
        Self {
            system: System::new_with_specifics(what),
            processors: cgroup::processors().unwrap_or_else(|| cpus() as f64),
            before: (
                Instant::now(),
                Process::read().unwrap_or_default().cpu_seconds,
            ),
        }
    }

    /// Since the last look. It should be a fifth of a second ago, or more.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let own = Process::read().unwrap_or_default();
        let (then, seconds_then) =
            mem::replace(&mut self.before, (Instant::now(), own.cpu_seconds));
        let time = (self.before.0 - then).as_secs_f64() * self.processors;
        let own_percent = (own.cpu_seconds - seconds_then) / time.max(f64::MIN_POSITIVE) * 100.0;
        let shares_a_part = self.processors < self.system.cpus().len() as f64;
        let cpu_percent = if shares_a_part {
            // In a container, other processes of the machine do not share its quota.
            own_percent
        } else {
            f64::from(self.system.global_cpu_usage())
        };
        let (used, own, all) = self.memory(own.resident_bytes);
        let usage = |cpu_percent: f64, bytes: u64| Usage {
            cpu_percent: cpu_percent.clamp(0.0, 100.0),
            memory_percent: bytes as f64 / all.max(1) as f64 * 100.0,
            memory_bytes: all,
        };
        Snapshot {
            machine: usage(cpu_percent, used),
            own: usage(own_percent, own),
        }
    }

    /// Returns the memory in use, the part of this process, and all that there is.
    fn memory(&self, resident: u64) -> (u64, u64, u64) {
        let (total, available) = (self.system.total_memory(), self.system.available_memory());
        match self.system.cgroup_limits() {
            // Without its files' pages, which the system takes back when it needs them. All in the
            // cgroup share its limit.
            Some(limits) if limits.total_memory < total => {
                (limits.rss, limits.rss, limits.total_memory)
            }
            _ => (total.saturating_sub(available), resident, total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_works_is_busy() {
        let mut machine = Machine::new();
        let start = Instant::now();
        while start.elapsed() < sysinfo::MINIMUM_CPU_UPDATE_INTERVAL {}
        let snapshot = machine.snapshot();
        for usage in [snapshot.machine, snapshot.own] {
            assert!(
                usage.cpu_percent > 0.0 && usage.cpu_percent <= 100.0,
                "{snapshot:?}"
            );
            assert!(
                usage.memory_percent > 0.0 && usage.memory_percent < 100.0,
                "{snapshot:?}"
            );
            assert!(usage.memory_bytes > 1 << 20, "{snapshot:?}");
        }
        assert!(
            snapshot.own.memory_percent <= snapshot.machine.memory_percent,
            "{snapshot:?}"
        );
    }
}
