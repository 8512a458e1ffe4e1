//! How many files a process may open, and over how many processes the clients are spread for it.

use crate::args::Args;
use crate::error::LoadError;

/// Open files besides the connections: standard streams, the runtime's own, the report.
const OTHER_FILES: u64 = 32;

/// Over how many processes the clients are spread: as many as are asked for, or as their files need.
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

/// Lets this process open files for so many connections, or as many as it may.
pub(crate) fn raise_open_files(connections: usize) -> Result<u64, LoadError> {
    let needed = connections as u64 + OTHER_FILES;
    rlimit::increase_nofile_limit(needed).map_err(LoadError::Runtime)
}
