//! All members of a run: in this process, or spread over several of its own.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};

use super::crew::{Assignment, Crew, Order, Share};
use super::look::Look;
use super::pace::Pace;
use super::plan::Plan;

/// How long a process may take to end.
const END_TIME: Duration = Duration::from_secs(5);

/// See the module's documentation.
pub(super) enum Team {
    Here(Crew),
    Spread(Vec<Process>),
}

/// One of several processes.
pub(super) struct Process {
    child: Child,
    orders: ChildStdin,
    told: Arc<Mutex<Look>>,
    reading: JoinHandle<()>,
}

impl Team {
    /// Lets all connect, in so many processes.
    pub(super) async fn start(plan: Plan, processes: usize) -> io::Result<Self> {
        if processes <= 1 {
            return Ok(Self::Here(Crew::start(plan, Share::WHOLE)));
        }
        let mut all = Vec::new();
        for index in 0..processes {
            let of = processes;
            let plan = plan.clone();
            let share = Share { index, of };
            all.push(Process::start(Assignment { plan, share }).await?);
        }
        Ok(Self::Spread(all))
    }

    pub(super) async fn pace(&mut self, pace: Option<Pace>) {
        match self {
            Self::Here(crew) => crew.pace(pace),
            Self::Spread(processes) => {
                for process in processes {
                    process.tell(&Order::Pace(pace)).await;
                }
            }
        }
    }

    /// What all have done.
    pub(super) fn look(&mut self) -> Look {
        match self {
            Self::Here(crew) => crew.look(),
            Self::Spread(processes) => {
                let mut all = Look::default();
                for process in processes {
                    all += &process.look();
                }
                all
            }
        }
    }

    pub(super) async fn end(self) {
        match self {
            Self::Here(crew) => crew.end().await,
            Self::Spread(processes) => {
                for process in processes {
                    process.end().await;
                }
            }
        }
    }
}

impl Process {
    async fn start(assignment: Assignment) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["load", "--crew"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (orders, reports) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .expect("both are piped");
        let told = Arc::new(Mutex::new(Look::default()));
        let clients = assignment.share.clients(assignment.plan.connections);
        let reading = tokio::spawn(listen(reports, told.clone(), clients.count() as u64));
        let mut process = Self {
            child,
            orders,
            told,
            reading,
        };
        process.tell(&assignment).await;
        Ok(process)
    }

    /// Gives it a line. That it is dead is told by who listens to it.
    async fn tell(&mut self, what: &impl serde::Serialize) {
        let mut line = serde_json::to_vec(what).expect("plain data");
        line.push(b'\n');
        let _ = self.orders.write_all(&line).await;
    }

    fn look(&self) -> Look {
        let mut told = self.told.lock();
        let latencies = std::mem::take(&mut told.latencies);
        Look {
            latencies,
            ..told.clone()
        }
    }

    async fn end(mut self) {
        self.tell(&Order::End).await;
        drop(self.orders);
        if timeout(END_TIME, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        self.reading.abort();
    }
}

/// Reads what a process tells. When it is dead all its clients are gone.
async fn listen(reports: ChildStdout, told: Arc<Mutex<Look>>, clients: u64) {
    let mut lines = BufReader::new(reports).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut look) = serde_json::from_str::<Look>(&line) else {
            break;
        };
        let mut told = told.lock();
        let mut latencies = std::mem::take(&mut told.latencies);
        latencies.append(&mut look.latencies);
        *told = Look { latencies, ..look };
    }
    let mut told = told.lock();
    told.failed = clients - told.joined.min(clients);
    told.left = told.joined;
    let error = "a process of the load generator ended".to_owned();
    *told.errors.entry(error).or_default() += 1;
}
