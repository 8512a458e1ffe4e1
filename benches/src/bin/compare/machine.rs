//! The machine, the versions and the command, for reports.

use std::env;
use std::thread;

use sysinfo::{CpuRefreshKind, RefreshKind, System};
use time::OffsetDateTime;

/// Returns the version of a crate in the lock file.
pub(crate) fn version(crate_name: &str) -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let entry = format!("name = \"{crate_name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Describes the processor, the kernel, the compiler and the date.
pub(crate) fn described() -> String {
    let cpus = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(cpus);
    let processor = system.cpus().first().map_or("unknown", |cpu| cpu.brand());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = System::kernel_version().unwrap_or_else(|| "unknown".to_owned());
    format!(
        "{cores} processors of {processor}, Linux {kernel}, {}, {}",
        env!("COMPILER"),
        OffsetDateTime::now_utc().date(),
    )
}

/// Returns the command line of this run.
pub(crate) fn command() -> String {
    let args = env::args().skip(1).collect::<Vec<_>>().join(" ");
    let separator = if args.is_empty() { "" } else { " -- " };
    format!("cargo run --release -p benches --bin compare{separator}{args}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_file() {
        assert_eq!(version("anthill"), env!("CARGO_PKG_VERSION"));
        assert!(version("tokio").starts_with("1."));
    }
}
