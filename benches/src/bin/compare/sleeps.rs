//! ants' own benchmark, as futures: a million tasks that each sleep 10 ms, at most 50,000 at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anthill::Pool;
use benches::THREADS;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::Effort;
use crate::process::{PeerProcess, own_cpu_time, own_peak_memory};
use crate::report::{Report, Rounds};

const TASKS: u32 = 1_000_000;
const CAPACITY: u32 = 50_000;
const TIME: Duration = Duration::from_millis(10);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    peer: Peer,
    #[arg(long)]
    tasks: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    /// The pool with its reactor.
    Anthill,
    /// tokio's `spawn`, with the semaphore that bounds it.
    Tokio,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Anthill => "anthill",
            Self::Tokio => "tokio",
        }
    }
}

/// What a peer says at its end.
#[derive(Serialize, Deserialize)]
struct Figures {
    wall_s: f64,
    cpu_s: f64,
    peak_rss_kib: u64,
}

pub(crate) fn compare(effort: Effort, report: &mut Report) -> io::Result<()> {
    let tasks = if effort.quick { TASKS / 5 } else { TASKS };
    let floor = TIME.as_secs_f64() * f64::from(tasks) / f64::from(CAPACITY);
    println!(
        "{tasks} sleeps of 10 ms at capacity {CAPACITY}: the floor is {floor:.2} s, medians of {} rounds",
        effort.rounds
    );
    println!();
    println!("| peer | seconds | times the floor | seconds of processor | peak MiB |");
    println!("|---|---|---|---|---|");
    let peers = Peer::value_variants();
    let mut figures = peers
        .iter()
        .map(|&peer| (peer, Rounds::default()))
        .collect::<Vec<_>>();
    for _ in 0..effort.rounds {
        for (peer, rounds) in &mut figures {
            let args = [
                "sleeps",
                "--peer",
                peer.name(),
                "--tasks",
                &tasks.to_string(),
            ];
            let told = PeerProcess::start(&args.map(str::to_owned))?;
            let figures: Figures = serde_json::from_str(&told.said)?;
            rounds.add([
                ("wall_s", figures.wall_s),
                ("cpu_ns_per_task", figures.cpu_s * 1e9 / f64::from(tasks)),
                ("ns_per_task", figures.wall_s * 1e9 / f64::from(tasks)),
                ("peak_rss_kib", figures.peak_rss_kib as f64),
            ]);
        }
    }
    for (peer, rounds) in &figures {
        println!(
            "| {} | {:.3} | {:.2} | {:.3} | {:.1} |",
            peer.name(),
            rounds.median("wall_s"),
            rounds.median("wall_s") / floor,
            rounds.median("cpu_ns_per_task") * f64::from(tasks) / 1e9,
            rounds.median("peak_rss_kib") / 1024.0,
        );
        let point = json!({ "tasks": tasks, "capacity": CAPACITY, "producers": 1 });
        report.add("sleep10ms", peer.name(), peer.name(), point, rounds);
    }
    println!();
    Ok(())
}

pub(crate) fn run(args: &Args) -> io::Result<()> {
    let start = Instant::now();
    match args.peer {
        Peer::Anthill => {
            let pool = Pool::builder()
                .capacity(CAPACITY as usize)
                .threads(0..=THREADS);
            let pool = pool.tokio().build().map_err(io::Error::other)?;
            for _ in 0..args.tasks {
                pool.spawn(async { sleep(TIME).await }).expect("it is open");
            }
            pool.shutdown().map_err(io::Error::other)?;
        }
        Peer::Tokio => {
            let runtime = runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let permits = Arc::new(Semaphore::new(CAPACITY as usize));
                for _ in 0..args.tasks {
                    let permit = permits.clone().acquire_owned().await.expect("it is open");
                    tokio::spawn(async {
                        sleep(TIME).await;
                        drop(permit);
                    });
                }
                let _all = permits.acquire_many(CAPACITY).await.expect("it is open");
            });
        }
    }
    let figures = Figures {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: own_cpu_time()?.as_secs_f64(),
        peak_rss_kib: own_peak_memory()?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
