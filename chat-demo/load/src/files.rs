//! The limit of open files, and the number of processes that it requires.

use crate::args::Args;
use crate::error::LoadError;

/// Open files besides the connections: standard streams, the runtime's, the report.
const OTHER_FILES: u64 = 32;

/// Returns the number of processes: `--processes`, or as many as the open files require.
pub(crate) fn processes(args: &Args) -> Result<usize, LoadError> {
    let limit = raise_open_files(args.connections)?;
    let most = usize::try_from(limit.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    let processes = args
        .processes
        .unwrap_or_else(|| args.connections.div_ceil(most.max(1)))
        .min(args.connections);
    let needed = args.connections.div_ceil(processes) as u64 + OTHER_FILES;
    if limit < needed {
        return Err(LoadError::Files { needed, limit });
    }
    Ok(processes)
}

/// Raises the limit of open files for so many connections, as far as allowed. Returns the limit.
pub(crate) fn raise_open_files(connections: usize) -> Result<u64, LoadError> {
    let needed = connections as u64 + OTHER_FILES;
    rlimit::increase_nofile_limit(needed).map_err(LoadError::OpenFiles)
}
