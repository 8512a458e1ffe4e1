//! Echo servers: what does a connection's future cost on each runtime?
//!
//! The handlers are the same; what differs is who runs them. The client is one thread of another process, so that on a
//! small machine it takes as little as may be from the server.

mod client;
mod server;

use std::io;
use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(super) use self::client::{Exchange, connect_all};
pub(crate) use self::server::{ServerArgs, serve};
pub(super) use self::server::{accept, listener};
use super::{Case, Plan, Player, Shown, Work, grouped};
use crate::meter::{self, Figures};
use crate::process::PeerProcess;
use server::Runtime;

const SIZES: [usize; 2] = [64, 1024];
/// Of the pool: more than there are connections, for tokio has no bound.
const CAPACITY: usize = 50_000;
/// Files that the client and the server may have open, each.
const FILES: u64 = 60_000;
/// A server is loaded for this part of the time in which it counts, before it counts.
const WARM_UP: u32 = 3;

pub(super) const WORK: Work = Work {
    name: "echo",
    about: "Echo servers with the same handlers: thousands of echoes per second of the server's processor time, and latency",
    cases,
    label,
    players,
    most_rounds: usize::MAX,
    counted: false,
    serves: true,
    shown: &[
        Shown {
            figure: "ops_per_cpu_s",
            heading: "thousands per CPU second",
            unit: 1e3,
            more_is_better: true,
        },
        Shown {
            figure: "p99_ns",
            heading: "p99, ms",
            unit: 1e6,
            more_is_better: false,
        },
    ],
};

/// What a case of this work has beside the others.
#[derive(Clone, Copy, Default, Debug, PartialEq, Args, Serialize)]
pub(crate) struct Asked {
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wire: Option<Wire>,
    /// Of a message
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<usize>,
}

/// What clients do.
#[derive(Clone, Copy)]
struct Load {
    wire: Wire,
    bytes: usize,
    connections: usize,
}

impl Load {
    fn of(case: &Case) -> io::Result<Self> {
        match case.echo {
            Asked {
                wire: Some(wire),
                bytes: Some(bytes),
                connections: Some(connections),
            } => Ok(Self {
                wire,
                bytes,
                connections,
            }),
            _ => Err(io::Error::other(
                "an echo wants --wire, --bytes and --connections",
            )),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wire {
    Tcp,
    Ws,
}

impl Wire {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ws => "ws",
        }
    }
}

fn cases(plan: &Plan) -> Vec<Case> {
    let mut cases = Vec::new();
    for wire in [Wire::Tcp, Wire::Ws] {
        for bytes in SIZES {
            for &connections in &plan.connections {
                let case = Case {
                    echo: Asked {
                        wire: Some(wire),
                        bytes: Some(bytes),
                        connections: Some(connections),
                    },
                    ..Case::new(plan.threads, connections)
                };
                cases.push(case.window(plan.effort, [1_000, 300, 30]));
            }
        }
    }
    cases
}

fn label(case: &Case) -> String {
    let Ok(echo) = Load::of(case) else {
        return String::new();
    };
    let plural = if echo.connections == 1 { "" } else { "s" };
    format!(
        "{}, {} bytes, {} connection{plural}",
        match echo.wire {
            Wire::Tcp => "TCP",
            Wire::Ws => "WebSocket",
        },
        grouped(echo.bytes),
        grouped(echo.connections)
    )
}

fn players() -> Vec<Player> {
    let player = |runtime: Runtime, crate_name, bounds, play| Player {
        name: runtime.name(),
        crate_name,
        bounds,
        play,
    };
    vec![
        player(Runtime::Anthill, "anthill", true, |case| {
            play(Runtime::Anthill, case)
        }),
        player(Runtime::Tokio, "tokio", false, |case| {
            play(Runtime::Tokio, case)
        }),
        player(Runtime::AnthillBeside, "anthill", true, |case| {
            play(Runtime::AnthillBeside, case)
        }),
    ]
}

fn play(runtime: Runtime, case: &Case) -> io::Result<Figures> {
    let wire = Load::of(case)?.wire;
    let threads = case.threads.to_string();
    let args = [
        "echo-server",
        "--runtime",
        runtime.name(),
        "--wire",
        wire.name(),
        "--threads",
        &threads,
    ];
    rlimit::increase_nofile_limit(FILES)?;
    load(
        &PeerProcess::of_this_program(&args.map(str::to_owned))?,
        case,
    )
}

/// Loads a server that has said where it listens.
pub(crate) fn load(server: &PeerProcess, case: &Case) -> io::Result<Figures> {
    let load = Load::of(case)?;
    let address: SocketAddr = server.said.parse().map_err(|_| {
        io::Error::other(format!(
            "a server is to say its address, not {}",
            server.said
        ))
    })?;
    let window = case.watched();
    let times = (window / WARM_UP, window);
    let echoes = client::run(address, load, times, || server.cpu_time())?;
    let count = echoes.latency.len() as f64;
    let cpu = echoes.server_cpu.as_secs_f64();
    Ok(meter::figures([
        ("ops_per_cpu_s", count / cpu),
        ("ops_per_s", count / echoes.time.as_secs_f64()),
        ("cpu_ns_per_op", cpu * 1e9 / count),
        ("p50_ns", echoes.latency.value_at_quantile(0.5) as f64),
        ("p99_ns", echoes.latency.value_at_quantile(0.99) as f64),
        ("peak_rss_kib", server.peak_memory_kib()?),
    ]))
}
