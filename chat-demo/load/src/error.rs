//! Why a run could not begin, or its report not be kept.

use std::io;
use std::path::PathBuf;

use chat_demo_client::ClientError;
use thiserror::Error;

use crate::page::PageError;
use crate::serve::ServeError;

/// Why a run could not begin, or its report not be kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The target is no address, or nobody answers there.
    #[error(transparent)]
    Target(#[from] ClientError),
    /// The system gives a process fewer files than it needs.
    #[error(
        "{needed} open files are needed in each process and {limit} allowed: raise the limit (ulimit -Hn) or --processes"
    )]
    Files {
        /// One for each connection, and a few.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// Clients cannot be more than one thing.
    #[error("{0}")]
    Shares(&'static str),
    /// Other processes did not start.
    #[error("cannot start a process of the load generator: {0}")]
    Processes(#[source] io::Error),
    /// The runtime did not start.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(#[source] io::Error),
    /// There is no server to load.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The page could not be made.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The report could not be printed.
    #[error("cannot write the report to standard output: {0}")]
    Print(#[source] io::Error),
    /// The report could not be encoded.
    #[error("cannot encode the report as JSON: {0}")]
    Json(#[source] io::Error),
    /// A signal came before there was anything to report.
    #[error("interrupted before anything was measured")]
    Interrupted,
    /// The report could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
