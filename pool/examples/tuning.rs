//! Adapts the capacity to the load, so that each accepted task ends within about 100 ms. A policy
//! of a few lines reads the figures of the pool every 100 ms. Further submitters wait outside.
//!
//! ```console
//! cargo run -p anthill --features tuner --example tuning
//! ```
//!
//! No fixed capacity is right for all phases: on eight threads, 400 tasks take 50 ms at 1 ms
//! each, but 250 ms at 5 ms each.

use std::error::Error;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use anthill::tuner::{Control, Policy, Proposal, Reason, Sample, Target, Tuner};
use anthill::{Pool, SlotError};

const THREADS: usize = 8;
/// The time that an accepted task should spend in the pool.
const TARGET: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(100);

/// A period with a constant kind of load.
struct Phase {
    name: &'static str,
    lasts: Duration,
    /// How long each task blocks.
    task: Duration,
    /// How long the producer pauses after each task.
    pause: Duration,
}

const PHASES: [Phase; 4] = [
    phase("fast tasks, without pauses", 1, 0),
    phase("slow tasks, without pauses", 5, 0),
    phase("slow tasks, with pauses", 5, 10),
    phase("fast tasks again", 2, 0),
];

const fn phase(name: &'static str, task: u64, pause: u64) -> Phase {
    Phase {
        name,
        lasts: Duration::from_millis(900),
        task: Duration::from_millis(task),
        pause: Duration::from_millis(pause),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::builder()
        .capacity(THREADS)
        .threads(0..=THREADS)
        .build()?;
    println!("tasks/s  capacity  in flight  time in the pool");
    let control = Control::new(InTime)
        .bounds(THREADS * 2..=10_000)
        .pause(Duration::ZERO); // a change takes effect within a tick
    let tuning = Tuner::new(&pool, Target::Capacity, control)
        .interval(TICK)
        .start(|_| ())?;
    produce(&pool)?;
    drop(tuning);
    pool.shutdown().wait()?;
    let stats = pool.stats();
    println!(
        "{} tasks accepted, {} completed",
        stats.accepted, stats.completed
    );
    if stats.completed != stats.accepted {
        return Err("a task was lost".into());
    }
    Ok(())
}

/// Proposes the capacity at which tasks end within [`TARGET`].
struct InTime;

impl Policy for InTime {
    fn propose(&mut self, sample: &Sample, _: &RangeInclusive<usize>) -> Option<Proposal> {
        let latency = sample.latency()?;
        println!(
            "{:7.0}{:10}{:11.0}{:5} ms {}",
            sample.throughput(),
            sample.limit,
            sample.in_flight,
            latency.as_millis(),
            "#".repeat((latency.as_millis() / 10).min(60) as usize)
        );
        // While slots are free, the producer limits the rate, so it says nothing about the
        // pool.
        if sample.in_flight < sample.limit as f64 * 0.9 {
            return None;
        }
        // Little's law: tasks in the pool = tasks per second * seconds in the pool. So the measured
        // rate and the target time give the capacity. At most double it, in case of a bad sample.
        let wanted = sample.throughput() * TARGET.as_secs_f64();
        let limit = wanted.min(sample.limit as f64 * 2.0);
        let reason = Reason::Other(format!("tasks take {latency:.0?} of {TARGET:?}").into());
        Some(Proposal::new(limit, reason))
    }
}

/// Submits as fast as the pool and the phases allow.
fn produce(pool: &Pool) -> Result<(), SlotError> {
    for phase in &PHASES {
        println!("{}", phase.name);
        let end = Instant::now() + phase.lasts;
        while Instant::now() < end {
            let task = phase.task;
            let work = move || thread::sleep(task); // simulates blocking I/O
            match pool.slot().wait_deadline(end).map(|slot| slot.submit(work)) {
                Ok(()) | Err(SlotError::Timeout) => {}
                Err(refused) => return Err(refused),
            }
            thread::sleep(phase.pause);
        }
    }
    Ok(())
}
