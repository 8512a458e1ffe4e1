//! The limits of this process's cgroup.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// How many processors the process may keep busy, parts of one included; nothing where no quota is
/// set, or no cgroup of version 2 says so.
pub(crate) fn processors() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let quotas = folders(&groups)?
        .into_iter()
        .filter_map(|folder| quota(&fs::read_to_string(folder.join("cpu.max")).ok()?));
    quotas.min_by(f64::total_cmp)
}

/// The folder of the process's cgroup and those above it: each may set a quota.
fn folders(groups: &str) -> Option<Vec<PathBuf>> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new(ROOT).join(group);
    let in_root = |folder: &&Path| folder.starts_with(ROOT);
    let folders = folders.ancestors().take_while(in_root);
    Some(folders.map(Path::to_owned).collect())
}

/// Time of processors in a period, over the period.
fn quota(cpu_max: &str) -> Option<f64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_may_be_a_part_of_a_processor() {
        assert_eq!(quota("50000 100000\n"), Some(0.5));
        assert_eq!(quota("250000 100000\n"), Some(2.5));
        for none in ["max 100000\n", "", "100000", "0 100000", "1 0"] {
            assert_eq!(quota(none), None, "{none:?}");
        }
    }

    #[test]
    fn all_groups_around_a_process_count() {
        let of = |groups| folders(groups).map(|folders| folders.len());
        assert_eq!(of("0::/\n"), Some(1));
        assert_eq!(of("12:cpu:/old\n0::/system.slice/chat.service\n"), Some(3));
        assert_eq!(of("12:cpu:/old\n"), None);
    }
}
