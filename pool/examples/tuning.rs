//! The capacity follows the load. A task that is accepted shall be done within 100 ms or so, whatever the tasks are: a
//! small controller looks at `stats()` ten times a second and calls `tune`. What comes too fast waits outside.
//!
//! ```console
//! cargo run -p anthill --example tuning
//! ```
//!
//! With a fixed capacity there is no right one: 400 tasks are 50 ms of work while each takes 1 ms on eight threads, and
//! 250 ms when each takes 5 ms.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Pool, Stats, SubmitError};

const THREADS: usize = 8;
/// How long an accepted task shall be in the pool.
const TARGET_MILLIS: usize = 100;
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
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let producer = scope.spawn(|| produce(&pool));
        let (mut then, mut before) = (Instant::now(), pool.stats());
        while !producer.is_finished() {
            thread::sleep(TICK); // the controller's clock
            let (now, stats) = (Instant::now(), pool.stats());
            let tasks = stats.completed - before.completed;
            let rate = u128::from(tasks) * 1000 / (now - then).as_millis();
            control(&pool, &stats, usize::try_from(rate)?);
            (then, before) = (now, stats);
        }
        Ok(producer.join().expect("it does not panic")?)
    })?;
    pool.shutdown()?;
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

/// One tick. Tasks in the pool = tasks per second * seconds in the pool (Little's law), so the capacity for a time that
/// is wanted follows from the rate that is measured.
fn control(pool: &Pool, stats: &Stats, rate: usize) {
    let millis_in_pool = stats.in_flight * 1000 / rate.max(1);
    println!(
        "{rate:7}{:10}{:11}{millis_in_pool:5} ms {}",
        stats.capacity,
        stats.in_flight,
        "#".repeat((millis_in_pool / 10).min(60))
    );
    // While there is room, the rate is the producer's and says nothing about what the pool can do.
    if stats.in_flight * 10 >= stats.capacity * 9 {
        let wanted = rate * TARGET_MILLIS / 1000;
        // At most twice as much at once, as a measurement may be off; and never so little that a thread lies idle.
        pool.tune(wanted.clamp(THREADS * 2, stats.capacity * 2));
    }
}

/// Submits as fast as the pool and the phases allow.
fn produce(pool: &Pool) -> Result<(), SubmitError<()>> {
    for phase in &PHASES {
        println!("{}", phase.name);
        let end = Instant::now() + phase.lasts;
        while Instant::now() < end {
            let task = phase.task;
            let work = move || thread::sleep(task); // stands for blocking I/O
            match pool.submit_deadline(work, end) {
                Ok(()) | Err(SubmitError::Timeout(_)) => {}
                Err(refused) => return Err(refused.without_task()),
            }
            thread::sleep(phase.pause);
        }
    }
    Ok(())
}
