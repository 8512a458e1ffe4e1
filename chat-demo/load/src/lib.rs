//! The load generator: many clients against one server, and whether each got what it should.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod clock;
pub mod console;
mod course;
mod crew;
mod goals;
mod interrupts;
mod ledger;
mod limit;
mod look;
mod member;
mod pace;
mod page;
mod plan;
mod progress;
mod publisher;
mod report;
mod rounds;
mod run;
mod serve;
mod shown;
mod sources;
mod swarm;
mod system;
mod team;
mod verdict;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use chat_demo_client::ClientError;

use self::page::About;
use self::run::{Phase, Run};

pub use self::args::{Args, Encoding};
pub use self::goals::{Goal, Goals, Step};
pub use self::page::{PageError, PlotError};
pub use self::report::{Moment, PoolMoment, Report, ServerMoment};
pub use self::rounds::LimitArgs;
pub use self::serve::{ServeArgs, ServeError};
pub use self::verdict::{Bound, Limit};

/// How long to look for the server.
const FIND_TIME: Duration = Duration::from_secs(10);
/// Open files besides the connections: standard streams, the runtime's own, the report.
const OTHER_FILES: u64 = 32;

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
    /// The report could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LoadError {
    fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Write { path, source }
    }
}

/// Runs the load, prints the report, and fails unless it is clean.
pub fn run(args: &Args) -> Result<ExitCode, LoadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LoadError::Runtime)?;
    if args.crew {
        let served = runtime.block_on(crew::serve());
        // It may still be reading, which nothing can end.
        runtime.shutdown_background();
        return served
            .map(|()| ExitCode::SUCCESS)
            .map_err(LoadError::Processes);
    }
    let report = runtime.block_on(measure(args.clone()))?;
    let printed = console::print(&report);
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report).map_err(io::Error::from);
        json.and_then(|json| fs::write(path, json))
            .map_err(|source| LoadError::write(path, source))?;
    }
    if let Some(path) = &args.html {
        let page = page::html(&report, &About::here())?;
        fs::write(path, page).map_err(|source| LoadError::write(path, source))?;
    }
    // After the files: whoever has closed the output may still want those.
    printed.map_err(LoadError::Print)?;
    let found = report.limit.as_ref().is_none_or(|limit| limit.rate > 0.0);
    Ok(if report.is_clean() && found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the load: all connect and join, all stay idle for a while, some publish, all leave.
pub async fn measure(mut args: Args) -> Result<Report, LoadError> {
    if args.limit.find_limit {
        return rounds::find(args).await;
    }
    let server = args.serve.start().await?;
    if let Some(server) = &server {
        args.target = server.target();
    }
    let mut report = measure_once(&args).await?;
    if let Some(server) = server {
        server.end_into(&mut report).await;
    }
    Ok(report)
}

async fn measure_once(args: &Args) -> Result<Report, LoadError> {
    let mut run = Run::new(args).await?;
    let connect_seconds = run.connect().await;
    if let Some(time) = args.hold {
        run.hold(time).await;
    }
    let phase = Phase {
        rate: args.rate,
        time: args.duration,
        messages: args.messages(),
    };
    let report = run.step(phase).await;
    run.end().await;
    Ok(Report {
        connect_seconds,
        ..report
    })
}

/// Over how many processes the clients are spread: as many as are asked for, or as their files need.
fn processes(args: &Args) -> Result<usize, LoadError> {
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
fn raise_open_files(connections: usize) -> Result<u64, LoadError> {
    let needed = connections as u64 + OTHER_FILES;
    rlimit::increase_nofile_limit(needed).map_err(LoadError::Runtime)
}

/// The first of the target's addresses at which somebody answers: one error now, not one for each client.
async fn find(url: &str) -> Result<SocketAddr, LoadError> {
    let target = chat_demo_client::target(url)?;
    let found = match timeout(FIND_TIME, TcpStream::connect(&target)).await {
        Ok(connected) => connected.and_then(|stream| stream.peer_addr()),
        Err(late) => Err(late.into()),
    };
    Ok(found.map_err(|source| ClientError::Connect { target, source })?)
}
