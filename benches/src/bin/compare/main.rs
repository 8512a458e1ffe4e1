//! anthill beside its peers on the same work: each peer in a process of its own, rounds interleaved, medians.

mod echo;
mod process;
mod report;
mod sleeps;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::report::Report;

/// Holds anthill against its peers on the same work, on this machine
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    peer: Option<Peer>,

    /// What to measure; everything by default
    #[arg(value_enum)]
    works: Vec<Work>,

    /// How often each figure is taken; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Fewer rounds, shorter and smaller work
    #[arg(long)]
    quick: bool,

    /// Numbers of connections of the echo servers' clients
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 100, 1000, 10_000])]
    connections: Vec<usize>,

    /// Where to write all figures as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// One measurement, with all its peers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Echo servers over TCP and WebSocket, from 1 connection to 10,000
    Echo,
    /// A million futures that sleep 10 ms, at most 50,000 at a time
    #[value(name = "sleep10ms")]
    Sleeps,
}

/// The part of a peer, played in a process of its own.
#[derive(Subcommand)]
enum Peer {
    #[command(hide = true)]
    EchoServer(echo::server::Args),
    #[command(hide = true)]
    Sleeps(sleeps::Args),
}

/// How much is done.
#[derive(Clone, Copy)]
struct Effort {
    rounds: u32,
    quick: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.peer {
        Some(Peer::EchoServer(args)) => echo::server::run(args),
        Some(Peer::Sleeps(args)) => sleeps::run(args),
        None => compare(&cli),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(cli: &Cli) -> io::Result<()> {
    let effort = Effort {
        rounds: if cli.quick { 1 } else { cli.rounds },
        quick: cli.quick,
    };
    let works = if cli.works.is_empty() {
        Work::value_variants()
    } else {
        &cli.works
    };
    let mut report = Report::default();
    for work in works {
        match work {
            Work::Echo => echo::compare(&cli.connections, effort, &mut report)?,
            Work::Sleeps => sleeps::compare(effort, &mut report)?,
        }
    }
    if let Some(path) = &cli.json {
        report.write_json(File::create(path)?)?;
    }
    Ok(())
}
