//! Figures of this process from the system.

use std::fs;

use rlimit::Resource;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    /// Processor time since the start, the program's and the kernel's for it.
    pub(crate) cpu_seconds: f64,
    /// When it started, in seconds since the epoch.
    pub(crate) start_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) virtual_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
    /// The limit of them.
    pub(crate) max_files: u64,
}

impl Process {
    /// How things stand; nothing where there is no `/proc` of Linux's kind.
    pub(crate) fn read() -> Option<Self> {
        let id = sysinfo::get_current_pid().ok()?;
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        let mut system = System::new();
        let processes = ProcessesToUpdate::Some(&[id]);
        system.refresh_processes_specifics(processes, false, what.with_tasks());
        let process = system.process(id)?;
        Some(Self {
            cpu_seconds: process.accumulated_cpu_time() as f64 / 1000.0,
            start_seconds: process.start_time() as f64,
            resident_bytes: process.memory(),
            virtual_bytes: process.virtual_memory(),
            // The first thread is the process itself.
            threads: process.tasks()?.len() as u64 + 1,
            open_files: open_files()?,
            max_files: Resource::NOFILE.get_soft().ok()?,
        })
    }
}

fn open_files() -> Option<u64> {
    // Since Linux 6.2 the directory's size is the number of its entries, without a walk over
    // thousands.
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // One is open for this look.
    Some(entries.count() as u64 - 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
