//! Runs the peers, each in a process of its own, one after the other, round by round.

use std::collections::BTreeSet;
use std::io;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine;
use crate::meter::Figures;
use crate::process::PeerProcess;
use crate::record::{Record, Rounds};
use crate::work::{self, Case, Runner, Work};

/// The most tasks in a round that counts allocations. More tasks give the same figures.
const COUNTED: usize = 100_000;

/// An external program that runs works, given as NAME=COMMAND.
#[derive(Clone, Debug)]
pub(crate) struct ExternalPeer {
    name: String,
    command: String,
}

impl ExternalPeer {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => Ok(Self {
                name: name.to_owned(),
                command: command.to_owned(),
            }),
            _ => Err("a peer must have the form NAME=COMMAND".to_owned()),
        }
    }
}

/// A peer in the comparison.
enum Candidate<'a> {
    Builtin(Runner),
    External(&'a ExternalPeer),
}

/// The arguments of a run.
#[derive(Args)]
pub(crate) struct RunArgs {
    #[arg(long)]
    work: String,
    #[arg(long = "impl")]
    peer: String,
    #[command(flatten)]
    case: Case,
    /// A command that starts the server to load
    #[arg(long)]
    server: Option<String>,
}

/// The line that a run prints: figures by name. It is empty if the peer does not do that work.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(default = "unknown")]
    lang: String,
    #[serde(default = "unknown")]
    version: String,
    #[serde(flatten)]
    figures: Figures,
}

fn unknown() -> String {
    "unknown".to_owned()
}

impl Candidate<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Builtin(runner) => runner.name,
            Self::External(external) => &external.name,
        }
    }

    fn bound(&self, case: &Case) -> Option<&'static str> {
        case.capacity.map(|_| match self {
            Self::Builtin(Runner { bounds: false, .. }) => "semaphore",
            _ => "own",
        })
    }

    /// Runs one round.
    fn run(&self, work: &Work, case: &Case) -> io::Result<Line> {
        let mut args = vec!["--work".to_owned(), work.name.to_owned()];
        args.extend(case.args());
        let process = match self {
            Self::External(external) if !work.is_server => {
                PeerProcess::shell_command(&external.command, &args)?
            }
            _ => {
                args.splice(..0, ["run-peer".to_owned()]);
                args.extend(["--impl".to_owned(), self.name().to_owned()]);
                if let Self::External(external) = self {
                    args.extend(["--server".to_owned(), external.command.clone()]);
                }
                PeerProcess::this_program(&args)?
            }
        };
        serde_json::from_str(&process.first_line).map_err(|error| {
            let (name, line) = (self.name(), &process.first_line);
            io::Error::other(format!("{name} printed no valid figures: {error}: {line}"))
        })
    }
}

/// A comparison of all peers.
pub(crate) struct Comparison<'a> {
    pub(crate) rounds: usize,
    /// Names of the peers to run; all if empty.
    pub(crate) only: &'a [String],
    pub(crate) external: &'a [ExternalPeer],
    /// Failed runs so far.
    pub(crate) failures: usize,
}

impl Comparison<'_> {
    /// Checks that each name in `only` is the name of a peer.
    pub(crate) fn check(&self) -> Result<(), String> {
        let own = work::ALL.iter().flat_map(|work| (work.runners)());
        let own = own.map(|runner| runner.name.to_owned());
        let external = self.external.iter().map(|external| external.name.clone());
        let names = own.chain(external).collect::<BTreeSet<_>>();
        match self.only.iter().find(|&name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                Err(format!("unknown peer `{name}`; known peers: {names}"))
            }
        }
    }

    /// Measures all cases of a work.
    pub(crate) fn compare(&mut self, work: &Work, cases: &[Case]) -> Vec<Record> {
        let own = (work.runners)().into_iter().map(Candidate::Builtin);
        let external = self.external.iter().map(Candidate::External);
        let mut candidates = own.chain(external).collect::<Vec<_>>();
        let only = self.only;
        candidates.retain(|peer| only.is_empty() || only.iter().any(|name| name == peer.name()));
        let mut records = Vec::new();
        for case in cases {
            eprintln!("{} {}", work.name, (work.label)(case));
            records.extend(self.compare_in(work, case, &candidates));
        }
        records
    }

    fn compare_in(
        &mut self,
        work: &Work,
        case: &Case,
        candidates: &[Candidate<'_>],
    ) -> Vec<Record> {
        let count = self.rounds.min(work.max_rounds);
        let mut runs = candidates
            .iter()
            .map(CandidateRuns::new)
            .collect::<Vec<_>>();
        for _ in 0..count {
            for peer in &mut runs {
                peer.run(work, case);
            }
            // Rotate, so that no peer always runs first.
            runs.rotate_left(1.min(candidates.len()));
        }
        if work.counts_allocations {
            let counting = Case {
                count: true,
                tasks: case.tasks.min(COUNTED),
                ..case.clone()
            };
            let own = |peer: &&mut CandidateRuns<'_>| matches!(peer.peer, Candidate::Builtin(_));
            for peer in runs.iter_mut().filter(own) {
                peer.run(work, &counting);
            }
        }
        self.failures += runs.iter().filter(|peer| peer.failed).count();
        runs.retain(|peer| !peer.failed && !peer.rounds.is_empty());
        let place = |peer: &CandidateRuns<'_>| {
            let same = |other: &Candidate<'_>| other.name() == peer.peer.name();
            candidates.iter().position(same)
        };
        runs.sort_by_key(place);
        let record = |peer: CandidateRuns<'_>| Record {
            work: work.name,
            peer: peer.peer.name().to_owned(),
            lang: peer.lang,
            version: peer.version,
            bound: peer.peer.bound(case),
            case: case.clone(),
            rounds: count,
            figures: peer.rounds.spreads(),
        };
        runs.into_iter().map(record).collect()
    }
}

/// A peer's rounds in one case.
struct CandidateRuns<'a> {
    peer: &'a Candidate<'a>,
    lang: String,
    version: String,
    rounds: Rounds,
    /// Whether a round has failed. The error was printed, and no further round runs.
    failed: bool,
}

impl<'a> CandidateRuns<'a> {
    fn new(peer: &'a Candidate<'a>) -> Self {
        Self {
            peer,
            lang: unknown(),
            version: unknown(),
            rounds: Rounds::default(),
            failed: false,
        }
    }

    fn run(&mut self, work: &Work, case: &Case) {
        if self.failed {
            return;
        }
        match self.peer.run(work, case) {
            Ok(line) => {
                self.rounds.add(line.figures);
                (self.lang, self.version) = (line.lang, line.version);
            }
            Err(error) => {
                self.failed = true;
                eprintln!("compare: {}: {error}", self.peer.name());
            }
        }
    }
}

/// Runs one round and prints its figures.
pub(crate) fn run(run: &RunArgs) -> io::Result<()> {
    let unknown_run =
        || io::Error::other(format!("peer `{}` does not do `{}`", run.peer, run.work));
    let line = if let Some(server) = &run.server {
        let mut args = vec!["--work".to_owned(), run.work.clone()];
        args.extend(run.case.args());
        Line {
            lang: unknown(),
            version: unknown(),
            figures: work::load(&PeerProcess::shell_command(server, &args)?, &run.case)?,
        }
    } else {
        let work = work::ALL.iter().find(|work| work.name == run.work);
        let mut runners = work.map(|work| (work.runners)()).into_iter().flatten();
        let runner = runners.find(|runner| runner.name == run.peer);
        let runner = runner.ok_or_else(unknown_run)?;
        Line {
            lang: "rust".to_owned(),
            version: machine::version(runner.crate_name),
            figures: (runner.run)(&run.case)?,
        }
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}
