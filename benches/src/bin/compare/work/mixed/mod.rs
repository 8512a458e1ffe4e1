//! Does I/O stay fast while closures that compute fill the same pool, and do closures get their share?
//!
//! A server in a process of its own echoes on 50 connections, at a rate that its client sets, and runs ten futures that
//! sleep for a millisecond in a loop. One more of its threads submits closures that are busy for so long, 64 at most in
//! the pool. All figures are of one window.

mod client;
mod hosts;
mod server;

use std::io;
use std::net::SocketAddr;
use std::thread;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(crate) use self::server::{MixedArgs, serve};
use super::echo::{Asked, Wire};
use super::{Case, Plan, Player, Shown, Work};
use crate::meter::{self, Figures};
use crate::process::PeerProcess;
use hosts::Kind;

/// The bound on closures in the pool.
const CLOSURES: usize = 64;
const CONNECTIONS: usize = 50;
/// Echoes a second, over all connections.
const RATE: u32 = 1_000;
const BYTES: usize = 64;
/// Futures that never stop yielding, in the work that has them.
const YIELDERS: usize = 4;
/// The server is loaded for this part of the window before it counts.
const WARM_UP: u32 = 4;

pub(super) const WORK: Work = Work {
    name: "mixed",
    about: "1,000 echoes a second while closures fill the pool: latency from the intended send time, lateness of timers, closures",
    cases,
    label,
    players,
    most_rounds: 5,
    counted: false,
    serves: false,
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
    players: reverse_players,
    most_rounds: 5,
    counted: false,
    serves: false,
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

/// What a case of this work has beside the others.
#[derive(Clone, Copy, Default, Debug, PartialEq, Args, Serialize)]
pub(crate) struct Mix {
    /// How long a closure is busy, in microseconds
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
                echo: Asked {
                    wire: Some(wire),
                    bytes: Some(BYTES),
                    connections: Some(CONNECTIONS),
                },
                mix: Mix {
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
            mix: Mix {
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

fn players() -> Vec<Player> {
    let kinds = Kind::value_variants().iter();
    kinds.map(|&kind| player(kind)).collect()
}

/// Two pools, one for closures and one for futures, share no capacity, priority or limit of threads.
fn reverse_players() -> Vec<Player> {
    let kinds = Kind::value_variants().iter();
    let kinds = kinds.filter(|&&kind| kind != Kind::AnthillTwoPools);
    kinds.map(|&kind| player(kind)).collect()
}

fn player(kind: Kind) -> Player {
    Player {
        name: kind.name(),
        crate_name: kind.crate_name(),
        bounds: true,
        play: kind.play(),
    }
}

/// Loads a server of this kind, and says what came of it: nothing if it does not speak the wire.
fn play(kind: Kind, case: &Case) -> io::Result<Figures> {
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
    // For the crate `blocking`, which has no other setting.
    let environment = [("BLOCKING_MAX_THREADS", case.threads.to_string())];
    let mut server = PeerProcess::of_this_program_in(&args, &environment)?;
    let window = case.watched();
    let warm_up = window / WARM_UP;
    let mut figures = match case.echo.wire {
        None => {
            thread::sleep(warm_up);
            server.tell("start")?;
            thread::sleep(window);
            Figures::new()
        }
        Some(wire) => {
            let address: SocketAddr = server.said.parse().map_err(io::Error::other)?;
            let start = || server.tell("start");
            client::run(address, wire, (warm_up, window), start)?
        }
    };
    let counted: Figures = serde_json::from_str(&server.ask("stop")?).map_err(io::Error::other)?;
    figures.extend(counted);
    figures.extend(meter::figures([(
        "peak_rss_kib",
        server.peak_memory_kib()?,
    )]));
    Ok(figures)
}
