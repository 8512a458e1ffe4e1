//! How busy the machine is, or the part of it that this process may use.

use std::thread;
use std::time::Instant;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::process::Process;

/// Looks at the machine now and then.
pub(crate) struct Machine {
    system: System,
    /// Processors that this process may use.
    pub(crate) processors: usize,
    /// When this process was looked at last, and its processor time then.
    before: (Instant, f64),
}

/// What is used of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
            processors: thread::available_parallelism().map_or(1, usize::from),
            before: (Instant::now(), own_seconds()),
        }
    }

    /// Since the last look. It should be a fifth of a second ago, or more.
    pub(crate) fn look(&mut self) -> Usage {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let (then, seconds_then) =
            std::mem::replace(&mut self.before, (Instant::now(), own_seconds()));
        let (now, seconds) = self.before;
        let cpu_percent = if self.processors < self.system.cpus().len() {
            // In a container the others of the machine are not what it shares its processors with.
            let time = (now - then).as_secs_f64() * self.processors as f64;
            (seconds - seconds_then) / time.max(f64::MIN_POSITIVE) * 100.0
        } else {
            f64::from(self.system.global_cpu_usage())
        };
        let (used, all) = self.memory();
        Usage {
            cpu_percent: cpu_percent.clamp(0.0, 100.0),
            memory_percent: used as f64 / all.max(1) as f64 * 100.0,
            memory_bytes: all,
        }
    }

    /// What is used, and what there is.
    fn memory(&self) -> (u64, u64) {
        let (total, available) = (self.system.total_memory(), self.system.available_memory());
        match self.system.cgroup_limits() {
            // Without its files' pages, which the system takes back when it needs them.
            Some(limits) if limits.total_memory < total => (limits.rss, limits.total_memory),
            _ => (total.saturating_sub(available), total),
        }
    }
}

fn own_seconds() -> f64 {
    Process::read().map_or(0.0, |process| process.cpu_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_works_is_busy() {
        let mut machine = Machine::new();
        let start = Instant::now();
        while start.elapsed() < sysinfo::MINIMUM_CPU_UPDATE_INTERVAL {}
        let usage = machine.look();
        assert!(
            usage.cpu_percent > 0.0 && usage.cpu_percent <= 100.0,
            "{usage:?}"
        );
        assert!(
            usage.memory_percent > 0.0 && usage.memory_percent < 100.0,
            "{usage:?}"
        );
        assert!(usage.memory_bytes > 1 << 20, "{usage:?}");
    }
}
