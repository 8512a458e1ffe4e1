//! The capacity follows the load. A task that is accepted shall be done within 100 ms or so, whatever the tasks are: a
//! policy of a few lines looks at what the pool did in each tenth of a second. What comes too fast waits outside.
//!
//! ```console
//! cargo run -p anthill --features tuner --example tuning
//! ```
//!
//! With a fixed capacity there is no right one: 400 tasks are 50 ms of work while each takes 1 ms on eight threads, and
//! 250 ms when each takes 5 ms.

use std::error::Error;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use anthill::tuner::{Control, Policy, Proposal, Reason, Sample, Target, Tuner};
use anthill::{Pool, SlotError};

const THREADS: usize = 8;
/// How long an accepted task shall be in the pool.
const TARGET: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(100);

/// What the load is like for a while.
struct Phase {
    name: &'static str,
    lasts: Duration,
    /// How long each task blocks.
    task: Duration,
    /// How long the producer rests after each.
    pause: Duration,
}

const PHASES: [Phase; 4] = [
    phase("quick tasks, all the time", 1, 0),
    phase("slow tasks, all the time", 5, 0),
    phase("slow tasks, now and then", 5, 10),
    phase("quick tasks again", 2, 0),
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
        .pause(Duration::ZERO); // a change shows within a tick
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

/// As many tasks as are done in time.
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
        // While there is room, the rate is the producer's and says nothing about what the pool can do.
        if sample.in_flight < sample.limit as f64 * 0.9 {
            return None;
        }
        // Tasks in the pool = tasks per second * seconds in the pool (Little's law), so the capacity for a time that is
        // wanted follows from the rate that is measured. At most twice as much at once, as a measurement may be off.
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
            let work = move || thread::sleep(task); // stands for blocking I/O
            match pool.slot().wait_deadline(end).map(|slot| slot.submit(work)) {
                Ok(()) | Err(SlotError::Timeout) => {}
                Err(refused) => return Err(refused),
            }
            thread::sleep(phase.pause);
        }
    }
    Ok(())
}
