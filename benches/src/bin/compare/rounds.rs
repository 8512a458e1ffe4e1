//! Has the peers play their parts, each in a process of its own, one after the other, round by round.

use std::collections::BTreeSet;
use std::io;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine;
use crate::meter::Figures;
use crate::process::PeerProcess;
use crate::record::{Record, Rounds};
use crate::work::{self, Case, Player, Work};

/// Tasks of a round that counts, at most: more make no difference.
const COUNTED: usize = 100_000;

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

/// Who plays, and how well.
pub(crate) struct Contest<'a> {
    pub(crate) rounds: usize,
    /// Names of those that take part; all if there are none.
    pub(crate) only: &'a [String],
    pub(crate) foreign: &'a [Foreign],
    /// What went wrong so far.
    pub(crate) failures: usize,
}

impl Contest<'_> {
    /// That each name of `only` is a peer's.
    pub(crate) fn check(&self) -> Result<(), String> {
        let own = work::ALL.iter().flat_map(|work| (work.players)());
        let own = own.map(|player| player.name.to_owned());
        let foreign = self.foreign.iter().map(|foreign| foreign.name.clone());
        let names = own.chain(foreign).collect::<BTreeSet<_>>();
        match self.only.iter().find(|&name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                Err(format!("no peer is called {name}; there are {names}"))
            }
        }
    }

    /// All cases of a work.
    pub(crate) fn compare(&mut self, work: &Work, cases: &[Case]) -> Vec<Record> {
        let own = (work.players)().into_iter().map(Contestant::Own);
        let foreign = self.foreign.iter().map(Contestant::Foreign);
        let mut contestants = own.chain(foreign).collect::<Vec<_>>();
        let only = self.only;
        contestants.retain(|peer| only.is_empty() || only.iter().any(|name| name == peer.name()));
        let mut records = Vec::new();
        for case in cases {
            eprintln!("{} {}", work.name, (work.label)(case));
            records.extend(self.compare_in(work, case, &contestants));
        }
        records
    }

    fn compare_in(
        &mut self,
        work: &Work,
        case: &Case,
        contestants: &[Contestant<'_>],
    ) -> Vec<Record> {
        let count = self.rounds.min(work.most_rounds);
        let mut playing = contestants.iter().map(Playing::new).collect::<Vec<_>>();
        for _ in 0..count {
            for peer in &mut playing {
                peer.play(work, case);
            }
            // Who follows whom differs, and nobody is always first.
            playing.rotate_left(1.min(contestants.len()));
        }
        if work.counted {
            let counting = Case {
                count: true,
                tasks: case.tasks.min(COUNTED),
                ..case.clone()
            };
            let own = |peer: &&mut Playing<'_>| matches!(peer.peer, Contestant::Own(_));
            for peer in playing.iter_mut().filter(own) {
                peer.play(work, &counting);
            }
        }
        self.failures += playing.iter().filter(|peer| peer.failed).count();
        playing.retain(|peer| !peer.failed && !peer.rounds.is_empty());
        let place = |peer: &Playing<'_>| {
            let same = |other: &Contestant<'_>| other.name() == peer.peer.name();
            contestants.iter().position(same)
        };
        playing.sort_by_key(place);
        let record = |peer: Playing<'_>| Record {
            work: work.name,
            peer: peer.peer.name().to_owned(),
            lang: peer.lang,
            version: peer.version,
            bound: peer.peer.bound(case),
            case: case.clone(),
            rounds: count,
            figures: peer.rounds.spreads(),
        };
        playing.into_iter().map(record).collect()
    }
}

/// A peer in one case.
struct Playing<'a> {
    peer: &'a Contestant<'a>,
    lang: String,
    version: String,
    rounds: Rounds,
    /// It has said why, and is out.
    failed: bool,
}

impl<'a> Playing<'a> {
    fn new(peer: &'a Contestant<'a>) -> Self {
        Self {
            peer,
            lang: unknown(),
            version: unknown(),
            rounds: Rounds::default(),
            failed: false,
        }
    }

    fn play(&mut self, work: &Work, case: &Case) {
        if self.failed {
            return;
        }
        match self.peer.play(work, case) {
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
