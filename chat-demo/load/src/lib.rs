//! The load generator: many clients against one server, and whether each got what it should.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod clock;
pub mod console;
mod course;
mod crew;
mod error;
mod files;
mod goals;
mod interrupts;
mod judge;
mod ledger;
mod limit;
mod look;
mod member;
mod moments;
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
use std::process::ExitCode;

use self::page::About;
use self::run::{Phase, Run};

pub use self::args::{Args, LimitArgs};
pub use self::error::LoadError;
pub use self::goals::{Goal, Goals, Step};
pub use self::moments::{Moment, PoolMoment, ServerMoment};
pub use self::page::{PageError, PlotError};
pub use self::plan::Encoding;
pub use self::report::Report;
pub use self::serve::{ServeArgs, ServeError};
pub use self::verdict::{Bound, Limit};

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
