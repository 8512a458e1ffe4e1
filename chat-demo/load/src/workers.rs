//! All clients of a run: in this process, or spread over processes that it starts.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};

use super::pace::Pace;
use super::plan::Plan;
use super::snapshot::Snapshot;
use super::worker::Worker;

/// How long a process may take to end.
const END_TIME: Duration = Duration::from_secs(5);

/// The clients of a run: in this process, or in others.
pub(super) struct Workers {
    local: Option<Worker>,
    processes: Vec<Process>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    latest: Arc<Mutex<Snapshot>>,
    reading: JoinHandle<()>,
}

impl Workers {
    /// Starts to connect all clients, in `count` processes.
    pub(super) async fn start(plan: Plan, count: usize) -> io::Result<Self> {
        let mut processes = Vec::new();
        if count > 1 {
            for index in 0..count {
                let (share, plan) = ((index, count), plan.clone());
                processes.push(Process::start(Plan { share, ..plan }).await?);
            }
        }
        let local = processes.is_empty().then(|| Worker::start(plan));
        Ok(Self { local, processes })
    }

    pub(super) async fn pace(&mut self, pace: Option<Pace>) {
        if let Some(worker) = &self.local {
            worker.shared.pace.send_replace(pace);
        }
        for process in &mut self.processes {
            process.send(&pace).await;
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let local = self.local.as_ref();
        let mut all = local.map_or_else(Snapshot::default, |worker| worker.shared.snapshot());
        for process in &self.processes {
            all += &process.snapshot();
        }
        all
    }

    pub(super) async fn end(self) {
        if let Some(worker) = self.local {
            worker.end().await;
        }
        for process in self.processes {
            process.end().await;
        }
    }
}

impl Process {
    async fn start(plan: Plan) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["load", "--worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal to the terminal must not end the process before the run.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let reports = child.stdout.take().expect("it is piped");
        let latest = Arc::new(Mutex::new(Snapshot::default()));
        let clients = plan.clients();
        let reading = tokio::spawn(listen(reports, latest.clone(), clients.count() as u64));
        let mut process = Self {
            child,
            input,
            latest,
            reading,
        };
        process.send(&plan).await;
        Ok(process)
    }

    /// Writes a line to the process. Ignores errors: the reader of its output reports its death.
    async fn send(&mut self, what: &impl serde::Serialize) {
        let mut line = serde_json::to_vec(what).expect("plain data");
        line.push(b'\n');
        let _ = self.input.write_all(&line).await;
    }

    fn snapshot(&self) -> Snapshot {
        let mut latest = self.latest.lock();
        let latencies = std::mem::take(&mut latest.latencies);
        Snapshot {
            latencies,
            ..latest.clone()
        }
    }

    async fn end(mut self) {
        // The process ends at the end of its input.
        drop(self.input);
        if timeout(END_TIME, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        self.reading.abort();
    }
}

/// Reads the snapshots of a process. When it has died, all its clients have left.
async fn listen(reports: ChildStdout, latest: Arc<Mutex<Snapshot>>, clients: u64) {
    let mut lines = BufReader::new(reports).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut snapshot) = serde_json::from_str::<Snapshot>(&line) else {
            break;
        };
        let mut latest = latest.lock();
        snapshot.latencies.append(&mut latest.latencies);
        *latest = snapshot;
    }
    let mut latest = latest.lock();
    latest.failed = clients - latest.joined.min(clients);
    latest.left = latest.joined;
    let error = "a process of the load generator ended".to_owned();
    *latest.errors.entry(error).or_default() += 1;
}
