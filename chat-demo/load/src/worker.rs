//! The clients of one process, and the process that the load generator starts for a share of them.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};
use tokio::task::JoinSet;
use tokio::time::{Duration, interval};

use super::files::raise_open_files;
use super::member;
use super::plan::Plan;
use super::shared::Shared;

/// How often a process reports.
const REPORT: Duration = Duration::from_millis(100);

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    members: JoinSet<()>,
}

impl Worker {
    pub(super) fn start(plan: Plan) -> Self {
        let shared = Arc::new(Shared::new(plan));
        let mut members = JoinSet::new();
        for number in shared.plan.clients() {
            members.spawn(member::run(shared.clone(), number));
        }
        Self { shared, members }
    }

    pub(super) async fn end(mut self) {
        self.shared.done.cancel();
        while self.members.join_next().await.is_some() {}
    }
}

/// Runs a worker process: reads its plan and paces, writes snapshots, and exits at the end of its
/// input. Without a pace, its clients stop publishing.
pub(super) async fn serve() -> io::Result<()> {
    let mut paces = BufReader::new(stdin()).lines();
    let Some(first) = paces.next_line().await? else {
        return Ok(());
    };
    let plan: Plan = serde_json::from_str(&first)?;
    // Ignore errors: the parent process has checked the limit.
    let _ = raise_open_files(plan.clients().count());
    let worker = Worker::start(plan);
    let (mut ticks, mut out) = (interval(REPORT), stdout());
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let mut line = serde_json::to_vec(&worker.shared.snapshot())?;
                line.push(b'\n');
                out.write_all(&line).await?;
                out.flush().await?;
            }
            pace = paces.next_line() => match pace? {
                Some(pace) => drop(worker.shared.pace.send_replace(serde_json::from_str(&pace)?)),
                None => break,
            },
        }
    }
    worker.end().await;
    Ok(())
}
