//! Has the peers play their parts, each in a process of its own, one after the other, round by round.

use std::io;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine;
use crate::meter::Figures;
use crate::process::PeerProcess;
use crate::record::{Record, Rounds};
use crate::work::{self, Case, Player, Work};

/// A program that plays a part as this one's children do, given as NAME=COMMAND.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    name: String,
    command: String,
}

impl Foreign {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => Ok(Self {
                name: name.to_owned(),
                command: command.to_owned(),
            }),
            _ => Err("a peer is given as NAME=COMMAND".to_owned()),
        }
    }
}

/// Who takes part.
enum Contestant<'a> {
    Own(Player),
    Foreign(&'a Foreign),
}

/// What a process is told.
#[derive(Args)]
pub(crate) struct Part {
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

/// The line that a process says: figures by name. Without any it does not do that work.
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

impl Contestant<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Own(player) => player.name,
            Self::Foreign(foreign) => &foreign.name,
        }
    }

    fn bound(&self, case: &Case) -> Option<&'static str> {
        case.capacity.map(|_| match self {
            Self::Own(Player { bounds: false, .. }) => "semaphore",
            _ => "own",
        })
    }

    /// One round.
    fn play(&self, work: &Work, case: &Case) -> io::Result<Line> {
        let mut args = vec!["--work".to_owned(), work.name.to_owned()];
        args.extend(case.args());
        let process = match self {
            Self::Foreign(foreign) if !work.serves => {
                PeerProcess::of_another(&foreign.command, &args)?
            }
            _ => {
                args.splice(..0, ["play".to_owned()]);
                args.extend(["--impl".to_owned(), self.name().to_owned()]);
                if let Self::Foreign(foreign) = self {
                    args.extend(["--server".to_owned(), foreign.command.clone()]);
                }
                PeerProcess::of_this_program(&args)?
            }
        };
        serde_json::from_str(&process.said).map_err(|error| {
            let (name, said) = (self.name(), &process.said);
            io::Error::other(format!("{name} is to say figures as JSON: {error}: {said}"))
        })
    }
}

/// A work, all its cases, all peers. `only` names those that take part, or is empty.
pub(crate) fn compare(
    work: &Work,
    cases: &[Case],
    rounds: usize,
    only: &[String],
    foreign: &[Foreign],
) -> io::Result<Vec<Record>> {
    let mut contestants = (work.players)()
        .into_iter()
        .map(Contestant::Own)
        .chain(foreign.iter().map(Contestant::Foreign))
        .collect::<Vec<_>>();
    contestants.retain(|peer| only.is_empty() || only.iter().any(|name| name == peer.name()));
    let mut records = Vec::new();
    for case in cases {
        eprintln!("{} {}", work.name, (work.label)(case));
        records.extend(compare_in(work, case, rounds, &contestants)?);
    }
    Ok(records)
}

fn compare_in(
    work: &Work,
    case: &Case,
    rounds: usize,
    contestants: &[Contestant<'_>],
) -> io::Result<Vec<Record>> {
    let mut results = contestants
        .iter()
        .map(|peer| (peer, Rounds::default(), unknown(), unknown()))
        .collect::<Vec<_>>();
    for round in 0..rounds {
        // Who follows whom differs, and nobody is always first.
        let first = round % results.len().max(1);
        for turn in 0..results.len() {
            let turn = (turn + first) % contestants.len();
            let (peer, rounds, lang, version) = &mut results[turn];
            let line = peer.play(work, case)?;
            rounds.add(line.figures);
            (*lang, *version) = (line.lang, line.version);
        }
    }
    if work.counted {
        let counting = Case {
            count: true,
            ..case.clone()
        };
        for (peer, rounds, ..) in &mut results {
            if matches!(peer, Contestant::Own(_)) {
                rounds.add(peer.play(work, &counting)?.figures);
            }
        }
    }
    results.retain(|(_, rounds, ..)| !rounds.is_empty());
    let record =
        |(peer, rounds_of_it, lang, version): (&Contestant<'_>, Rounds, String, String)| Record {
            work: work.name,
            peer: peer.name().to_owned(),
            lang,
            version,
            bound: peer.bound(case),
            case: case.clone(),
            rounds,
            figures: rounds_of_it.spreads(),
        };
    Ok(results.into_iter().map(record).collect())
}

/// Plays a part, and says what came of it.
pub(crate) fn play(part: &Part) -> io::Result<()> {
    let unknown_part = || io::Error::other(format!("no {} of {}", part.work, part.peer));
    let line = if let Some(server) = &part.server {
        let mut args = vec!["--work".to_owned(), part.work.clone()];
        args.extend(part.case.args());
        Line {
            lang: unknown(),
            version: unknown(),
            figures: work::load(&PeerProcess::of_another(server, &args)?, &part.case)?,
        }
    } else {
        let work = work::ALL.iter().find(|work| work.name == part.work);
        let mut players = work.map(|work| (work.players)()).into_iter().flatten();
        let player = players.find(|player| player.name == part.peer);
        let player = player.ok_or_else(unknown_part)?;
        Line {
            lang: "rust".to_owned(),
            version: machine::version(player.crate_name),
            figures: (player.play)(&part.case)?,
        }
    };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}
