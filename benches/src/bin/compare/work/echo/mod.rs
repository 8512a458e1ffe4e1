//! Echo servers: what does the future of a connection cost on each runtime?
//!
//! All runtimes run the same handlers. The client is one thread of another process, so that it
//! takes little CPU time from the server on a small machine.

mod client;
mod server;

use std::io;
use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(super) use self::client::{Exchange, connect_all};
pub(crate) use self::server::{ServerArgs, serve};
pub(super) use self::server::{accept, listener};
use super::{Case, Plan, Runner, Shown, Work, grouped};
use crate::meter::{self, Figures};
use crate::process::PeerProcess;
use server::Runtime;

const SIZES: [usize; 2] = [64, 1024];
/// The pool's capacity. It exceeds the connections, because tokio has no bound.
const CAPACITY: usize = 50_000;
/// The most open files of the client and of the server.
const FILES: u64 = 60_000;
/// The warm-up takes this part of the measured time.
const WARM_UP: u32 = 3;

pub(super) const WORK: Work = Work {
    name: "echo",
    about: "Echo servers with the same handlers: thousands of echoes per second of the server's processor time, and latency",
    cases,
    label,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: true,
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

/// The parameters that only works with echoes have.
#[derive(Clone, Copy, Default, Debug, PartialEq, Args, Serialize)]
pub(crate) struct EchoCase {
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wire: Option<Wire>,
    /// Bytes of a message
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<usize>,
}

/// The load that the clients generate.
#[derive(Clone, Copy)]
struct Load {
    wire: Wire,
    bytes: usize,
    connections: usize,
}

impl Load {
    fn of(case: &Case) -> io::Result<Self> {
        match case.echo {
            EchoCase {
                wire: Some(wire),
                bytes: Some(bytes),
                connections: Some(connections),
            } => Ok(Self {
                wire,
                bytes,
                connections,
            }),
            _ => Err(io::Error::other(
                "an echo needs --wire, --bytes and --connections",
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
                    echo: EchoCase {
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

fn runners() -> Vec<Runner> {
    let runner = |runtime: Runtime, crate_name, bounds, run| Runner {
        name: runtime.name(),
        crate_name,
        bounds,
        run,
    };
    vec![
        runner(Runtime::Anthill, "anthill", true, |case| {
            run(Runtime::Anthill, case)
        }),
        runner(Runtime::Tokio, "tokio", false, |case| {
            run(Runtime::Tokio, case)
        }),
        runner(Runtime::AnthillBeside, "anthill", true, |case| {
            run(Runtime::AnthillBeside, case)
        }),
    ]
}

fn run(runtime: Runtime, case: &Case) -> io::Result<Figures> {
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
    load(&PeerProcess::this_program(&args.map(str::to_owned))?, case)
}

/// Loads a server whose address is its first line.
pub(crate) fn load(server: &PeerProcess, case: &Case) -> io::Result<Figures> {
    let load = Load::of(case)?;
    let address: SocketAddr = server.first_line.parse().map_err(|_| {
        io::Error::other(format!(
            "the server printed no address: {}",
            server.first_line
        ))
    })?;
    let window = case.measured_time();
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
