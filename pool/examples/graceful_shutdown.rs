//! A program that works until it is told to stop, and then ends well: Ctrl-C or SIGTERM closes the pool, which ends the
//! producer; what was accepted gets some time to end; what is left then is counted. A second Ctrl-C exits at once.
//!
//! ```console
//! cargo run -p anthill --example graceful_shutdown             # stops by itself after 2 seconds
//! cargo run -p anthill --example graceful_shutdown -- 60       # after 60; press Ctrl-C before
//! cargo run -p anthill --example graceful_shutdown -- 1 0.2    # has only 0.2 seconds to end: some tasks are left
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

    // The producer checks no flag: `submit` returns `Closed` once the pool is closed, even if it
    // waits for a slot by then.
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
    println!("{accepted} tasks were accepted, and one was refused at the close");
    println!("{} are still in the pool", pool.in_flight());

    let start = Instant::now();
    let ended = pool.shutdown().wait_timeout(drain_for);
    let time = start.elapsed();
    match ended {
        Ok(()) => {
            println!("all have ended, {time:.1?} later");
            if pool.stats().completed != accepted {
                return Err("a task was lost".into());
            }
            Ok(())
        }
        // The process ends with `main`, whatever its other threads do. What must not be lost has to be somewhere else
        // until its task is done, in a queue on disk for example.
        Err(ShutdownError::Timeout(left)) => {
            println!("{time:.1?} later there are {left}");
            Err("not all tasks could be done in time".into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Closes the pool on the first signal, or when the time is over. A signal after that ends the process.
fn stop_after(time: Duration, pool: Pool) -> Result<(), ctrlc::Error> {
    let timed = pool.clone();
    // `ctrlc` calls it on a thread of its own, not inside the signal, so it may do anything.
    ctrlc::set_handler(move || {
        if pool.is_closed() {
            println!("told again: out");
            process::exit(130);
        }
        println!("told to stop");
        pool.close();
    })?;
    println!("working for {time:?}, or until Ctrl-C");
    thread::spawn(move || {
        thread::sleep(time);
        if !timed.is_closed() {
            println!("time is over");
            timed.close();
        }
    });
    Ok(())
}

fn handle_request() {
    // Stands for blocking I/O.
    thread::sleep(Duration::from_millis(20));
}

/// An argument in seconds.
fn seconds(position: usize, default: f64) -> Result<Duration, Box<dyn Error>> {
    let seconds = match env::args().nth(position) {
        Some(argument) => argument.parse()?,
        None => default,
    };
    Ok(Duration::try_from_secs_f64(seconds)?)
}
