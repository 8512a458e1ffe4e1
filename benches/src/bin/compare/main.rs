//! Compares anthill with its peers on the same work. Each run has a process of its own, and rounds
//! are interleaved.
//!
//! Modules depend on those below them:
//!
//! - `rounds` starts the runs; `table`, `plot` show the results; `pictures` draws the README's plots
//! - `record`, `recorded`: the JSON, written and read; `machine`: the description of the machine
//! - `work`: what is measured
//! - `peers`: the pools that are measured
//! - `process`, `tally`, `meter`, `counting`: how it is measured

mod counting;
mod machine;
mod meter;
mod peers;
mod pictures;
mod plot;
mod process;
mod record;
mod recorded;
mod rounds;
mod table;
mod tally;
mod work;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use crate::record::Record;
use crate::recorded::Recorded;
use crate::rounds::{Comparison, ExternalPeer};
use crate::work::{Effort, Plan, Work};

/// A run that takes longer is stuck.
const STUCK: Duration = Duration::from_secs(300);

/// Compares anthill with its peers on the same work, on this machine
///
/// Prints a table for each work: medians, minimum and maximum of all rounds.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    child: Option<Child>,

    /// Works to measure [default: all]
    #[arg(value_parser = PossibleValuesParser::new(work::ALL.iter().map(|work| work.name)))]
    works: Vec<String>,

    /// Rounds per figure; the median is reported [default: 5, with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Smaller works, one round: takes two minutes and is only roughly right
    #[arg(long)]
    quick: bool,

    /// The smallest possible works, to check that everything runs
    #[arg(long, hide = true)]
    smoke: bool,

    /// Workers per pool, unless the work sets them [default: number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    /// Connections to the echo servers
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 100, 1000, 10_000])]
    connections: Vec<usize>,

    /// Run only these peers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Add a peer in any language; benches/README.md describes its arguments and output
    #[arg(long = "peer", value_name = "NAME=COMMAND", value_parser = ExternalPeer::parse)]
    peers: Vec<ExternalPeer>,

    /// Write all figures to this file as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,

    /// Write short tables for a README to this file, with machine, versions, date and command
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,

    /// Write a page of plots to this file; with --from, the README's plots into this folder
    #[arg(long, value_name = "PATH")]
    plots: Option<PathBuf>,

    /// Plot the figures of this file of --json instead of measuring; may be repeated
    #[arg(long, value_name = "PATH", requires = "plots", conflicts_with_all = ["works", "json", "markdown"])]
    from: Vec<PathBuf>,
}

/// What a child process does.
#[derive(Subcommand)]
enum Child {
    #[command(hide = true)]
    RunPeer(rounds::RunArgs),
    #[command(hide = true)]
    EchoServer(work::ServerArgs),
    #[command(hide = true)]
    MixedServer(work::MixedArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.child {
        Some(Child::RunPeer(child)) => {
            thread::spawn(|| {
                thread::sleep(STUCK);
                eprintln!(
                    "compare: stopped a peer that took over {} s",
                    STUCK.as_secs()
                );
                std::process::exit(1);
            });
            rounds::run(child).map_err(Into::into)
        }
        Some(Child::EchoServer(args)) => work::serve(args).map_err(Into::into),
        Some(Child::MixedServer(args)) => work::serve_mixed(args).map_err(Into::into),
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

fn compare(cli: &Cli) -> Result<(), Box<dyn Error>> {
    if let (false, Some(folder)) = (cli.from.is_empty(), &cli.plots) {
        return pictures::write(&Recorded::read(&cli.from)?, folder);
    }
    if cfg!(debug_assertions) && !cli.smoke {
        eprintln!("compare: a debug build gives meaningless figures; add --release");
    }
    let plan = Plan {
        effort: match (cli.smoke, cli.quick) {
            (true, _) => Effort::Smoke,
            (false, true) => Effort::Quick,
            (false, false) => Effort::Full,
        },
        threads: cli.threads.map_or_else(processors, usize::from),
        connections: cli.connections.clone(),
    };
    let rounds = if plan.effort == Effort::Full { 5 } else { 1 };
    let mut comparison = Comparison {
        rounds: cli.rounds.unwrap_or(rounds) as usize,
        only: &cli.only,
        external: &cli.peers,
        failures: 0,
    };
    comparison.check()?;
    let mut measured = Vec::new();
    // Write now and after each work: an unwritable path fails before the measurement, and a later
    // failure loses no figures.
    write(cli, &measured)?;
    for work in &work::ALL {
        if cli.works.is_empty() || cli.works.iter().any(|name| name == work.name) {
            let records = comparison.compare(work, &(work.cases)(&plan));
            if !records.is_empty() {
                println!("{}", table::detailed(work, &records));
                measured.push((work, records));
                write(cli, &measured)?;
            }
        }
    }
    match comparison.failures {
        0 => Ok(()),
        failures => Err(format!("{failures} runs failed; see the messages above").into()),
    }
}

fn write(cli: &Cli, measured: &[(&Work, Vec<Record>)]) -> Result<(), Box<dyn Error>> {
    let records = measured.iter().flat_map(|(_, records)| records.clone());
    let records = records.collect::<Vec<_>>();
    let outputs = [
        (&cli.json, record::json(&records)?),
        (&cli.markdown, table::page(measured, &records)),
        (&cli.plots, plot::page(measured)?),
    ];
    for (path, text) in outputs {
        if let Some(path) = path {
            fs::write(path, text)
                .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
