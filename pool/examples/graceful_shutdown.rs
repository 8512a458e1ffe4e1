//! Stops a program gracefully. Ctrl-C or SIGTERM closes the pool, which ends the producer. Accepted
//! tasks get a limited time to end, then the program reports how many are left. A second Ctrl-C
//! exits at once.
//!
//! ```console
//! cargo run -p anthill --example graceful_shutdown             # stops after 2 seconds
//! cargo run -p anthill --example graceful_shutdown -- 60       # after 60, or Ctrl-C
//! cargo run -p anthill --example graceful_shutdown -- 1 0.2    # tasks are left after 0.2 s
//! ```

use std::env;
use std::error::Error;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{Pool, ShutdownError, SlotError};

fn main() -> Result<(), Box<dyn Error>> {
    let work_for = seconds(1, 2.0)?;
    let drain_for = seconds(2, 5.0)?;
    let pool = Pool::builder().capacity(200).threads(0..=4).build()?;
    stop_after(work_for, pool.clone())?;

    // The producer needs no flag: `submit` returns `Closed` once the pool is closed, even while it
    // waits for a slot.
    let mut accepted = 0_u64;
    let refused = loop {
        match pool.submit(handle_request) {
            Ok(()) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    if !matches!(refused, SlotError::Closed) {
        return Err(refused.into());
    }
    println!("{accepted} tasks accepted, one refused after the close");
    println!("{} tasks still in the pool", pool.in_flight());

    let start = Instant::now();
    let ended = pool.shutdown().wait_timeout(drain_for);
    let time = start.elapsed();
    match ended {
        Ok(()) => {
            println!("all tasks ended {time:.1?} later");
            if pool.stats().completed != accepted {
                return Err("a task was lost".into());
            }
            Ok(())
        }
        // The process ends with `main`, even while other threads run. Keep work that must not be
        // lost elsewhere until its task has ended, for example in a queue on disk.
        Err(ShutdownError::Timeout(left)) => {
            println!("not ended {time:.1?} later: {left}");
            Err("some tasks did not end in time".into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Closes the pool on the first signal or after `time`. A later signal ends the process.
fn stop_after(time: Duration, pool: Pool) -> Result<(), ctrlc::Error> {
    let timed = pool.clone();
    // `ctrlc` calls the closure on a separate thread, not in the signal handler, so it may block.
    ctrlc::set_handler(move || {
        if pool.is_closed() {
            println!("second signal: exiting at once");
            process::exit(130);
        }
        println!("signal received: closing the pool");
        pool.close();
    })?;
    println!("working for {time:?}, or until Ctrl-C");
    thread::spawn(move || {
        thread::sleep(time);
        if !timed.is_closed() {
            println!("time elapsed: closing the pool");
            timed.close();
        }
    });
    Ok(())
}

fn handle_request() {
    // Simulates blocking I/O.
    thread::sleep(Duration::from_millis(20));
}

/// Returns the argument at `position` as seconds, or the default.
fn seconds(position: usize, default: f64) -> Result<Duration, Box<dyn Error>> {
    let seconds = match env::args().nth(position) {
        Some(argument) => argument.parse()?,
        None => default,
    };
    Ok(Duration::try_from_secs_f64(seconds)?)
}
