//! Figures of this process from the system.

use std::fs;

use rlimit::Resource;

/// The kernel reports CPU time in hundredths of a second.
const TICKS: f64 = 100.0;

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
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the program's name in brackets and may hold anything. Behind it the
        // twelfth and the thirteenth are the times, the twentieth is the start.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let seconds = |field: usize| Some(fields.get(field)?.parse::<f64>().ok()? / TICKS);
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let bytes = |name| Some(number(&status, name)? * 1024);
        Some(Self {
            cpu_seconds: seconds(11)? + seconds(12)?,
            start_seconds: boot_seconds()? + seconds(19)?,
            resident_bytes: bytes("VmRSS:")?,
            virtual_bytes: bytes("VmSize:")?,
            threads: number(&status, "Threads:")?,
            open_files: open_files()?,
            max_files: Resource::NOFILE.get_soft().ok()?,
        })
    }
}

fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .parse()
        .ok()
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

/// The number behind a name at the beginning of a line.
fn number(lines: &str, name: &str) -> Option<u64> {
    let rest = lines.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
