//! Errors of a run.

use std::io;
use std::path::PathBuf;

use chat_demo_client::ClientError;
use thiserror::Error;

use crate::serve::ServeError;

/// Why a run could not start, or its report could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The target is not a valid URL, or refuses connections.
    #[error(transparent)]
    Target(#[from] ClientError),
    /// The limit of open files is too low.
    #[error(
        "cannot open {needed} files in each process: the limit is {limit}; raise it (ulimit -Hn), or raise --processes"
    )]
    Files {
        /// The files that a process needs.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The limit of open files could not be raised.
    #[error("cannot raise the limit of open files: {0}")]
    OpenFiles(#[source] io::Error),
    /// The shares of roles exceed 100%.
    #[error("{0}")]
    Shares(&'static str),
    /// A process did not start.
    #[error("cannot start a process of the load generator: {0}")]
    Processes(#[source] io::Error),
    /// The runtime did not start.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// Signal handlers could not be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[source] io::Error),
    /// The server did not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The page could not be made.
    #[error("cannot make the page: {0}")]
    Page(#[from] askama::Error),
    /// The report could not be printed.
    #[error("cannot write the report to standard output: {0}")]
    Print(#[source] io::Error),
    /// The report could not be encoded.
    #[error("cannot encode the report as JSON: {0}")]
    Json(#[source] io::Error),
    /// A signal ended the run before it measured anything.
    #[error("interrupted before anything was measured")]
    Interrupted,
    /// The report could not be written.
    #[error("cannot write `{path}`: {1}", path = .0.display())]
    Write(PathBuf, #[source] io::Error),
}
