//! Does I/O stay fast while closures fill the pool, and do closures get their share?
//!
//! A server process echoes on 50 connections, at a rate that its client sets, and runs ten futures
//! that sleep 1 ms in a loop. Another of its threads submits busy closures, at most 64 at a time.
//! All figures cover the same time window.

mod client;
mod hosts;
mod server;

use std::io;
use std::net::SocketAddr;
use std::thread;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(crate) use self::server::{MixedArgs, serve};
use super::echo::{EchoCase, Wire};
use super::{Case, Plan, Runner, Shown, Work};
use crate::meter::{self, Figures};
use crate::process::PeerProcess;
use hosts::Kind;

/// The capacity for closures.
const CLOSURES: usize = 64;
const CONNECTIONS: usize = 50;
/// Echoes a second, on all connections together.
const RATE: u32 = 1_000;
const BYTES: usize = 64;
/// Futures that never stop yielding, in `mixed_yield`.
const YIELDERS: usize = 4;
/// The warm-up takes this part of the measured time.
const WARM_UP: u32 = 4;

pub(super) const WORK: Work = Work {
    name: "mixed",
    about: "1,000 echoes a second while closures fill the pool: latency from the intended send time, lateness of timers, closures",
    cases,
    label,
    runners,
    max_rounds: 5,
    counts_allocations: false,
    is_server: false,
    shown: &[
        milliseconds("p50_ns", "echo p50, ms"),
        milliseconds("p99_ns", "echo p99, ms"),
        milliseconds("timer_p99_ns", "timers late, p99, ms"),
        PER_SECOND,
    ],
};

pub(super) const REVERSE: Work = Work {
    name: "mixed_yield",
    about: "Four futures that never stop yielding beside closures that fill the pool",
    cases: reverse_cases,
    label,
    runners: reverse_runners,
    max_rounds: 5,
    counts_allocations: false,
    is_server: false,
    shown: &[
        PER_SECOND,
        Shown {
            figure: "yields_per_s",
            heading: "thousands of yields a second",
            unit: 1e3,
            more_is_better: true,
        },
    ],
};

const PER_SECOND: Shown = Shown {
    figure: "closures_per_s",
    heading: "closures a second",
    unit: 1.0,
    more_is_better: true,
};

const fn milliseconds(figure: &'static str, heading: &'static str) -> Shown {
    Shown {
        figure,
        heading,
        unit: 1e6,
        more_is_better: false,
    }
}

/// The parameters that only this work has.
#[derive(Clone, Copy, Default, Debug, PartialEq, Args, Serialize)]
pub(crate) struct MixedCase {
    /// Time for which a closure is busy, in microseconds
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy_us: Option<u64>,
    /// Futures that never stop yielding
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) yielders: Option<usize>,
}

fn cases(plan: &Plan) -> Vec<Case> {
    let busy: &[Option<u64>] = plan.effort.of(
        &[None, Some(100), Some(1_000), Some(10_000), Some(100_000)],
        &[None, Some(1_000), Some(10_000)],
        &[None, Some(1_000)],
    );
    let mut cases = Vec::new();
    for wire in [Wire::Tcp, Wire::Ws] {
        for &busy_us in busy {
            let case = Case {
                echo: EchoCase {
                    wire: Some(wire),
                    bytes: Some(BYTES),
                    connections: Some(CONNECTIONS),
                },
                mix: MixedCase {
                    busy_us,
                    yielders: None,
                },
                ..Case::new(plan.threads, CONNECTIONS)
            };
            cases.push(case.window(plan.effort, [4_000, 1_000, 100]));
        }
    }
    cases
}

fn reverse_cases(plan: &Plan) -> Vec<Case> {
    let busy: &[u64] = plan.effort.of(&[100, 1_000], &[1_000], &[1_000]);
    let case = |&busy_us: &u64| {
        let case = Case {
            mix: MixedCase {
                busy_us: Some(busy_us),
                yielders: Some(YIELDERS),
            },
            ..Case::new(plan.threads, YIELDERS)
        };
        case.window(plan.effort, [2_000, 1_000, 100])
    };
    busy.iter().map(case).collect()
}

fn label(case: &Case) -> String {
    let busy = match case.mix.busy_us {
        None => "no closures".to_owned(),
        Some(busy) => format!("closures of {} ms", busy as f64 / 1e3),
    };
    match case.echo.wire {
        Some(Wire::Tcp) => format!("TCP, {busy}"),
        Some(Wire::Ws) => format!("WebSocket, {busy}"),
        None => busy,
    }
}

fn runners() -> Vec<Runner> {
    let kinds = Kind::value_variants().iter();
    kinds.map(|&kind| runner(kind)).collect()
}

/// Leaves out the two pools, because they share no capacity, priority or thread limit.
fn reverse_runners() -> Vec<Runner> {
    let kinds = Kind::value_variants().iter();
    let kinds = kinds.filter(|&&kind| kind != Kind::AnthillTwoPools);
    kinds.map(|&kind| runner(kind)).collect()
}

fn runner(kind: Kind) -> Runner {
    Runner {
        name: kind.name(),
        crate_name: kind.crate_name(),
        bounds: true,
        run: kind.run(),
    }
}

/// Loads a server of this kind and returns the figures: none if the kind does not support the
/// protocol.
fn run(kind: Kind, case: &Case) -> io::Result<Figures> {
    if kind == Kind::AsyncExecutorBlocking && case.echo.wire == Some(Wire::Ws) {
        return Ok(Figures::new());
    }
    let mut args = vec!["mixed-server".to_owned()];
    let mut add = |name: &str, value: String| args.extend([format!("--{name}"), value]);
    add("kind", kind.name().to_owned());
    add("threads", case.threads.to_string());
    add(
        "wire",
        case.echo.wire.unwrap_or(Wire::Tcp).name().to_owned(),
    );
    if let Some(busy) = case.mix.busy_us {
        add("busy-us", busy.to_string());
    }
    add("yielders", case.mix.yielders.unwrap_or(0).to_string());
    // The crate `blocking` has no other setting.
    let environment = [("BLOCKING_MAX_THREADS", case.threads.to_string())];
    let mut server = PeerProcess::this_program_with_env(&args, &environment)?;
    let window = case.measured_time();
    let warm_up = window / WARM_UP;
    let mut figures = match case.echo.wire {
        None => {
            thread::sleep(warm_up);
            server.write_line("start")?;
            thread::sleep(window);
            Figures::new()
        }
        Some(wire) => {
            let address: SocketAddr = server.first_line.parse().map_err(io::Error::other)?;
            let start = || server.write_line("start");
            client::run(address, wire, (warm_up, window), start)?
        }
    };
    let counted: Figures =
        serde_json::from_str(&server.request("stop")?).map_err(io::Error::other)?;
    figures.extend(counted);
    figures.extend(meter::figures([(
        "peak_rss_kib",
        server.peak_memory_kib()?,
    )]));
    Ok(figures)
}
