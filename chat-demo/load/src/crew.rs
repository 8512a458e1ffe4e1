//! The members that live in one process, and how a process that is nothing else is told what to do.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;
use tokio::time::{Duration, interval};

use super::files::raise_open_files;
use super::look::Look;
use super::member;
use super::pace::Pace;
use super::plan::Plan;
use super::swarm::Swarm;

/// How often a process tells what has happened.
const REPORT: Duration = Duration::from_millis(100);

/// The members of a process.
pub(super) struct Crew {
    swarm: Arc<Swarm>,
    members: JoinSet<()>,
}

/// Which of the clients are a crew's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    pub(super) index: usize,
    pub(super) of: usize,
}

impl Share {
    /// All of them.
    pub(super) const WHOLE: Self = Self { index: 0, of: 1 };

    /// Its clients, of so many.
    pub(super) fn clients(self, connections: usize) -> impl Iterator<Item = usize> {
        (self.index..connections).step_by(self.of)
    }
}

/// What a process is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) plan: Plan,
    pub(super) share: Share,
}

/// What it is told afterwards.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// To publish so, or not at all.
    Pace(Option<Pace>),
    /// To go.
    End,
}

impl Crew {
    /// Lets a share of the clients connect.
    pub(super) fn start(plan: Plan, share: Share) -> Self {
        let swarm = Arc::new(Swarm::new(plan));
        let mut members = JoinSet::new();
        for number in share.clients(swarm.plan.connections) {
            members.spawn(member::run(swarm.clone(), number));
        }
        Self { swarm, members }
    }

    pub(super) fn look(&self) -> Look {
        self.swarm.look()
    }

    pub(super) fn pace(&self, pace: Option<Pace>) {
        self.swarm.pace.send_replace(pace);
    }

    /// Lets all go.
    pub(super) async fn end(mut self) {
        self.swarm.done.cancel();
        while self.members.join_next().await.is_some() {}
    }
}

/// The life of a process that is a crew: it does what it reads, tells what has happened, and ends with its reader.
pub(super) async fn serve() -> io::Result<()> {
    // Who ends the run tells it.
    tokio::spawn(async { while ctrl_c().await.is_ok() {} });
    let mut orders = BufReader::new(stdin()).lines();
    let Some(first) = orders.next_line().await? else {
        return Ok(());
    };
    let Assignment { plan, share } = serde_json::from_str(&first)?;
    // The one that started it has counted the files.
    let _ = raise_open_files(share.clients(plan.connections).count());
    let crew = Crew::start(plan, share);
    let (mut ticks, mut out) = (interval(REPORT), stdout());
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let mut line = serde_json::to_vec(&crew.look())?;
                line.push(b'\n');
                out.write_all(&line).await?;
                out.flush().await?;
            }
            order = orders.next_line() => match order? {
                Some(line) => match serde_json::from_str(&line)? {
                    Order::Pace(pace) => crew.pace(pace),
                    Order::End => break,
                },
                None => break,
            },
        }
    }
    crew.end().await;
    Ok(())
}
