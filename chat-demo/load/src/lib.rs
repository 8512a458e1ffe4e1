//! The load generator: many clients against one server, and a check that each gets every message.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod clock;
pub mod console;
mod error;
mod files;
mod goals;
mod interrupts;
mod judge;
mod ledger;
mod limit;
mod member;
mod moments;
mod pace;
mod page;
mod parse;
mod plan;
mod progress;
mod publisher;
mod redact;
mod report;
mod report_file;
mod rounds;
mod run;
mod serve;
mod shared;
mod snapshot;
mod sources;
mod system;
mod timeline;
mod verdict;
mod worker;
mod workers;

use std::io;
use std::process::ExitCode;

use self::interrupts::Interrupts;
use self::pace::Load;
use self::report_file::ReportFile;
use self::run::Run;

pub use self::args::{Args, LimitArgs};
pub use self::error::LoadError;
pub use self::goals::{Goal, Goals, Step};
pub use self::interrupts::is_ignored;
pub use self::moments::{Moment, PoolMoment, ServerMoment};
pub use self::report::Report;
pub use self::serve::{ServeArgs, ServeError};
pub use self::verdict::{Bound, Limit};

/// The exit code of a run that a signal ended: what a shell reports after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the load and prints the report. The exit code is 0 if the report is clean, 130 if the run
/// was interrupted, and 1 otherwise.
pub fn run(args: &Args) -> Result<ExitCode, LoadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LoadError::Runtime)?;
    if args.worker {
        let served = runtime.block_on(worker::serve());
        // Do not wait for a blocking read of standard input.
        runtime.shutdown_background();
        return served
            .map(|()| ExitCode::SUCCESS)
            .map_err(LoadError::Processes);
    }
    let json = args.json.as_ref().map(ReportFile::open).transpose()?;
    let html = args.html.as_ref().map(ReportFile::open).transpose()?;
    let report = match runtime.block_on(measure(args.clone())) {
        Err(error @ LoadError::Interrupted) => {
            console::note(format_args!("chat-demo: {error}"));
            return Ok(INTERRUPTED.into());
        }
        measured => measured?,
    };
    let printed = console::print(&report);
    if let Some(file) = json {
        let json = serde_json::to_vec_pretty(&report).map_err(io::Error::from);
        file.write(&json.map_err(LoadError::Json)?)?;
    }
    if let Some(file) = html {
        file.write(page::html(&report, &page::command_line())?.as_bytes())?;
    }
    // Report this after writing the files: they are wanted even if the output was closed.
    printed.map_err(LoadError::Print)?;
    let found = report.limit.as_ref().is_none_or(|limit| limit.rate > 0.0);
    Ok(if report.interrupted {
        INTERRUPTED.into()
    } else if report.is_clean() && found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the load: connects all clients, holds them idle, publishes, and disconnects.
pub async fn measure(mut args: Args) -> Result<Report, LoadError> {
    // Listen first: a signal must not end this process and leave the server that it started.
    let interrupts = Interrupts::listen().map_err(LoadError::Signals)?;
    let server = interrupts.or_stop(args.serve.start()).await??;
    if let Some(server) = &server {
        args.target = server.target();
    }
    let mut report = if args.limit.find_limit {
        rounds::find(&args, &interrupts).await?
    } else {
        measure_once(&args, &interrupts).await?
    };
    if let Some(server) = server {
        server.end_into(&mut report).await;
    }
    Ok(report)
}

async fn measure_once(args: &Args, interrupts: &Interrupts) -> Result<Report, LoadError> {
    let mut run = Run::new(args, interrupts).await?;
    let connect_seconds = run.connect().await;
    if let Some(time) = args.hold {
        run.hold(time).await;
    }
    let load = Load {
        rate: args.rate,
        ramp: args.ramp,
        time: args.duration,
        messages: args.messages(),
    };
    let report = run.step(load, None).await;
    run.end().await;
    Ok(Report {
        connect_seconds,
        ..report
    })
}
