//! `chat-demo load`: many clients against one server, and whether each got what it should.

mod args;
mod clock;
mod crew;
mod ledger;
mod look;
mod member;
mod pace;
mod plan;
mod progress;
mod publisher;
mod report;
mod run;
mod sources;
mod swarm;
mod system;
mod team;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::run::{Run, Step};
use crate::client::{self, ClientError};

pub use self::args::{Args, Encoding};
pub use self::report::{Moment, PoolMoment, Report, ServerMoment};

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
    /// The report could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
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
    print!("{report}");
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report).map_err(io::Error::from);
        let written = json.and_then(|json| fs::write(path, json));
        written.map_err(|source| LoadError::Write {
            path: path.clone(),
            source,
        })?;
    }
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the load: all connect and join, all stay idle for a while, some publish, all leave.
pub async fn measure(args: Args) -> Result<Report, LoadError> {
    let mut run = Run::new(&args).await?;
    let connect_seconds = run.connect().await;
    if let Some(time) = args.hold {
        run.hold(time).await;
    }
    let step = Step {
        rate: args.rate,
        time: args.duration,
        messages: args.messages(),
    };
    let report = run.step(step).await;
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
    let target = client::target(url)?;
    let found = match timeout(FIND_TIME, TcpStream::connect(&target)).await {
        Ok(connected) => connected.and_then(|stream| stream.peer_addr()),
        Err(late) => Err(late.into()),
    };
    Ok(found.map_err(|source| ClientError::Connect { target, source })?)
}
