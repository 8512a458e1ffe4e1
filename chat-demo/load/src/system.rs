//! Figures of this machine and of the server.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, interval, timeout};

use super::moments::{PoolMoment, ServerMoment};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The part of a server's figures that the report uses.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Stats {
    pub(super) rss_bytes: u64,
    cpu_seconds: f64,
    #[serde(default)]
    outbox_frames: u64,
    #[serde(default)]
    pools: BTreeMap<String, PoolMoment>,
    #[serde(default)]
    machine: Option<Machine>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Machine {
    cpu_percent: f64,
    memory_percent: f64,
}

/// Polls a server until it is dropped.
pub(super) struct Sampler {
    last: watch::Receiver<Option<(Instant, Stats)>>,
    before: Option<(Instant, Stats)>,
    processors: Option<Processors>,
    /// Dropping this ends the task.
    _asking: JoinSet<()>,
}

impl Sampler {
    pub(super) fn start(server: SocketAddr, every: Duration) -> Self {
        let (sender, last) = watch::channel(None);
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            let mut ticks = interval(every);
            loop {
                ticks.tick().await;
                sender.send_replace(stats(server).await.map(|stats| (Instant::now(), stats)));
            }
        });
        Self {
            last,
            before: None,
            processors: processors(),
            _asking: asking,
        }
    }

    /// Returns the CPU time that the host stole since the previous call, in percent.
    pub(super) fn stolen_percent(&mut self) -> Option<f64> {
        let now = processors()?;
        let before = self.processors.replace(now)?;
        let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let stolen = now.stolen.saturating_sub(before.stolen);
        Some(stolen as f64 / all as f64 * 100.0)
    }

    /// Returns the server's figures since the previous call, if it answered.
    pub(super) fn moment(&mut self) -> Option<ServerMoment> {
        let (at, stats) = self.last.borrow().clone()?;
        let (then, before) = self.before.replace((at, stats.clone()))?;
        let seconds = at.saturating_duration_since(then).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        Some(ServerMoment {
            cpu_percent: ((stats.cpu_seconds - before.cpu_seconds) / seconds * 100.0).max(0.0),
            rss_bytes: stats.rss_bytes,
            machine_cpu_percent: stats.machine.map(|machine| machine.cpu_percent),
            machine_memory_percent: stats.machine.map(|machine| machine.memory_percent),
            outbox_frames: stats.outbox_frames,
            pools: stats.pools,
        })
    }
}

/// Returns the figures of `/api/stats`, if the target has them.
pub(super) async fn stats(server: SocketAddr) -> Option<Stats> {
    timeout(PATIENCE, ask(server)).await.ok()?
}

async fn ask(server: SocketAddr) -> Option<Stats> {
    let mut stream = TcpStream::connect(server).await.ok()?;
    // HTTP/1.0 asks for a plain body that ends with the connection.
    let request = format!("GET /api/stats HTTP/1.0\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// Returns the CPU time that this process has used, in seconds.
pub(super) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU time of all CPUs since the machine started.
#[derive(Clone, Copy, Debug)]
struct Processors {
    all: u64,
    /// Time that the host of a virtual machine gave to others.
    stolen: u64,
}

/// Reads the CPU time; `None` without a Linux `/proc`.
fn processors() -> Option<Processors> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let times = stat.lines().next()?.strip_prefix("cpu ")?;
    let times = times.split_whitespace();
    let times: Vec<u64> = times.map_while(|time| time.parse().ok()).collect();
    Some(Processors {
        // The time of guests is part of the user's time.
        all: times.iter().take(8).sum(),
        stolen: *times.get(7)?,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read() {
        let times = processors().expect("there is a /proc");
        assert!(times.all > 0 && times.stolen < times.all, "{times:?}");
    }
}
