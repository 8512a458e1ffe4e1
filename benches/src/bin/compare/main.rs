//! anthill beside its peers on the same work: each peer in a process of its own, rounds interleaved, medians.
//!
//! Modules lean on those below them:
//!
//! - `rounds` has peers play; `table`, `plot`: what came of it
//! - `record`: the JSON; `machine`: where it was measured
//! - `work`: what is measured
//! - `peers`: who does it
//! - `process`, `tally`, `meter`, `counting`: how it is measured

mod counting;
mod machine;
mod meter;
mod peers;
mod plot;
mod process;
mod record;
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
use crate::rounds::{Contest, Foreign};
use crate::work::{Effort, Plan, Work};

/// After so long a peer is taken to be stuck.
const STUCK: Duration = Duration::from_secs(300);

/// Holds anthill against its peers on the same work, on this machine
///
/// Prints each work's figures as a table: medians, and the least and the most of all rounds.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,

    /// What to measure; everything by default
    #[arg(value_parser = PossibleValuesParser::new(work::ALL.iter().map(|work| work.name)))]
    works: Vec<String>,

    /// How often each figure is taken; the median counts [default: 5, with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Smaller works, and each once: done in two minutes, and only roughly right
    #[arg(long)]
    quick: bool,

    /// As little as can be, to see that everything works
    #[arg(long, hide = true)]
    smoke: bool,

    /// Workers of each pool, unless the work says otherwise; as many as there are processors by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    /// Numbers of connections to the echo servers
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 100, 1000, 10_000])]
    connections: Vec<usize>,

    /// Only these take part
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// One more peer, in any language: see benches/README.md for what the command is given and has to say
    #[arg(long = "peer", value_name = "NAME=COMMAND", value_parser = Foreign::parse)]
    peers: Vec<Foreign>,

    /// Where to write all figures as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,

    /// Where to write short tables for a README, with the machine, the versions, the date and the command
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,

    /// Where to write a page of plots
    #[arg(long, value_name = "PATH")]
    plots: Option<PathBuf>,
}

/// What a process of a peer's own does.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Play(rounds::Part),
    #[command(hide = true)]
    EchoServer(work::ServerArgs),
    #[command(hide = true)]
    MixedServer(work::MixedArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.part {
        Some(Part::Play(part)) => {
            thread::spawn(|| {
                thread::sleep(STUCK);
                eprintln!("compare: a peer is stuck");
                std::process::exit(1);
            });
            rounds::play(part).map_err(Into::into)
        }
        Some(Part::EchoServer(args)) => work::serve(args).map_err(Into::into),
        Some(Part::MixedServer(args)) => work::serve_mixed(args).map_err(Into::into),
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
    if cfg!(debug_assertions) && !cli.smoke {
        eprintln!(
            "compare: this is a build for debugging, whose figures mean nothing: add --release"
        );
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
    let mut contest = Contest {
        rounds: cli.rounds.unwrap_or(rounds) as usize,
        only: &cli.only,
        foreign: &cli.peers,
        failures: 0,
    };
    contest.check()?;
    let mut measured = Vec::new();
    // Whether it can be written is to be known before the work is done, and what was done is not to be lost.
    write(cli, &measured)?;
    for work in &work::ALL {
        if cli.works.is_empty() || cli.works.iter().any(|name| name == work.name) {
            let records = contest.compare(work, &(work.cases)(&plan));
            if !records.is_empty() {
                println!("{}", table::detailed(work, &records));
                measured.push((work, records));
                write(cli, &measured)?;
            }
        }
    }
    match contest.failures {
        0 => Ok(()),
        failures => Err(format!("{failures} parts failed").into()),
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
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
