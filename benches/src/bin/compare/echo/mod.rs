//! Echo servers: what does a connection's future cost on each runtime?
//!
//! The handlers are the same; what differs is who runs them. The client is one thread in this process, so that on a small
//! machine it takes as little as may be from the server.

mod client;
pub(crate) mod server;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use self::server::{Runtime, Wire};
use crate::Effort;
use crate::process::PeerProcess;
use crate::report::{Report, Rounds};

const SIZES: [usize; 2] = [64, 1024];
/// How long a server is loaded before it counts, and while it does.
const WARM_UP: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_secs(1);

/// What clients do.
#[derive(Clone, Copy)]
struct Load {
    wire: Wire,
    size: usize,
    connections: usize,
    warm_up: Duration,
    window: Duration,
}

pub(crate) fn compare(counts: &[usize], effort: Effort, report: &mut Report) -> io::Result<()> {
    println!(
        "Echo: echoes per second of the server's processor time, and latency, medians of {} rounds",
        effort.rounds
    );
    println!();
    println!(
        "| wire, bytes, connections | anthill | tokio | anthill beside a reactor | anthill / tokio | p99 anthill, tokio |"
    );
    println!("|---|---|---|---|---|---|");
    for wire in [Wire::Tcp, Wire::Ws] {
        for size in SIZES {
            for &connections in counts {
                let load = Load {
                    wire,
                    size,
                    connections,
                    warm_up: if effort.quick { WARM_UP / 3 } else { WARM_UP },
                    window: if effort.quick { WINDOW / 3 } else { WINDOW },
                };
                compare_at(load, effort.rounds, report)?;
            }
        }
    }
    println!();
    Ok(())
}

fn compare_at(load: Load, rounds: u32, report: &mut Report) -> io::Result<()> {
    let mut figures = Runtime::value_variants()
        .iter()
        .map(|&runtime| (runtime, Rounds::default()))
        .collect::<Vec<_>>();
    for _ in 0..rounds {
        for (runtime, rounds) in &mut figures {
            rounds.add(measure(*runtime, load)?);
        }
    }
    let median = |name| {
        figures
            .iter()
            .map(|(_, rounds)| rounds.median(name))
            .collect::<Vec<_>>()
    };
    let (per_cpu, p99) = (median("ops_per_cpu_s"), median("p99_ns"));
    println!(
        "| {}, {}, {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.3} ms, {:.3} ms |",
        load.wire.name(),
        load.size,
        load.connections,
        per_cpu[0],
        per_cpu[1],
        per_cpu[2],
        per_cpu[0] / per_cpu[1],
        p99[0] / 1e6,
        p99[1] / 1e6,
    );
    for (runtime, rounds) in &figures {
        let point = json!({
            "wire": load.wire.name(),
            "bytes": load.size,
            "connections": load.connections,
        });
        report.add("echo", runtime.name(), runtime.crate_name(), point, rounds);
    }
    Ok(())
}

/// One round of one peer.
fn measure(runtime: Runtime, load: Load) -> io::Result<[(&'static str, f64); 4]> {
    let args = [
        "echo-server",
        "--runtime",
        runtime.name(),
        "--wire",
        load.wire.name(),
    ];
    let server = PeerProcess::start(&args.map(str::to_owned))?;
    let address: SocketAddr = server.said.parse().map_err(io::Error::other)?;
    let echoes = client::run(address, load, || server.cpu_time())?;
    let count = echoes.latency.len() as f64;
    let percentile = |p| echoes.latency.value_at_quantile(p) as f64;
    Ok([
        ("ops_per_cpu_s", count / echoes.server_cpu.as_secs_f64()),
        ("ops_per_s", count / echoes.time.as_secs_f64()),
        ("p50_ns", percentile(0.5)),
        ("p99_ns", percentile(0.99)),
    ])
}
