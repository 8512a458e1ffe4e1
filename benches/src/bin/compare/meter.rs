//! Measures what work costs this process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::counting::{self, Allocated};

/// Figures by their name in the JSON.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Collects named values.
pub(crate) fn figures<const N: usize>(named: [(&str, f64); N]) -> Figures {
    named.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Measures from `start` to `stop`: either times or allocations, because counting takes time.
pub(crate) enum Meter {
    Times { start: Instant, cpu: Duration },
    Allocations(Allocated),
}

impl Meter {
    pub(crate) fn start(count: bool) -> io::Result<Self> {
        Ok(if count {
            counting::begin();
            Self::Allocations(counting::allocated())
        } else {
            Self::Times {
                start: Instant::now(),
                cpu: cpu_time()?,
            }
        })
    }

    pub(crate) fn stop(self, tasks: usize) -> io::Result<Figures> {
        let tasks = tasks as f64;
        Ok(match self {
            Self::Times { start, cpu } => {
                let wall = start.elapsed().as_secs_f64();
                let cpu = cpu_time()?.saturating_sub(cpu).as_secs_f64();
                figures([
                    ("wall_s", wall),
                    ("ns_per_task", wall * 1e9 / tasks),
                    ("cpu_ns_per_task", cpu * 1e9 / tasks),
                    ("peak_rss_kib", peak_memory_kib()?),
                ])
            }
            Self::Allocations(before) => {
                let after = counting::allocated();
                figures([
                    (
                        "allocs_per_task",
                        (after.count - before.count) as f64 / tasks,
                    ),
                    (
                        "bytes_per_task",
                        (after.bytes - before.bytes) as f64 / tasks,
                    ),
                ])
            }
        })
    }
}

/// Returns the CPU time of this process.
pub(crate) fn cpu_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

/// Returns the peak resident memory of this process, in KiB.
pub(crate) fn peak_memory_kib() -> io::Result<f64> {
    status("self", "VmHWM:")
}

/// Returns the number of threads of this process.
pub(crate) fn threads() -> io::Result<f64> {
    status("self", "Threads:")
}

/// Returns a field of `/proc/PROCESS/status`.
pub(crate) fn status(process: &str, name: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| {
            io::Error::other(format!(
                "/proc/{process}/status has no valid field `{name}`"
            ))
        })
}
