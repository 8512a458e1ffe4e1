//! Splits a computation into pieces: it counts primes, first on one thread and then on one thread
//! for each core. Each piece is a task with a handle. The main thread waits for the handles in the
//! order of the pieces, while the tasks may end in any order.
//!
//! ```console
//! cargo run --release -p anthill --example cpu_work
//! ```
//!
//! For this computation alone, on all cores, rayon's `par_iter` is shorter.

use std::error::Error;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anthill::{JoinHandle, Pool};

const LIMIT: u64 = 1_000_000;
/// Small enough that all cores end at about the same time, and large enough that the cost of a
/// submit is negligible.
const PIECE: u64 = 10_000;
/// The expected result.
const PRIMES_BELOW_LIMIT: usize = 78_498;

fn main() -> Result<(), Box<dyn Error>> {
    let cores = thread::available_parallelism()?.get();
    let (alone, time_alone) = count(1)?;
    let (pieces, time) = count(cores)?;

    // The pieces are in order, so each tenth of the pieces covers a tenth of the numbers.
    println!("primes up to");
    let mut primes = 0;
    for (n, tenth) in (1..).zip(pieces.chunks(pieces.len() / 10)) {
        primes += tenth.iter().sum::<usize>();
        println!("{:12}  {primes:6}", LIMIT / 10 * n);
    }
    println!("\n 1 thread   {time_alone:7.1?}");
    println!(
        "{cores:2} threads  {time:7.1?}, {:.1} times as fast",
        time_alone.as_secs_f64() / time.as_secs_f64()
    );
    if primes != PRIMES_BELOW_LIMIT || alone != pieces {
        return Err("wrong number of primes".into());
    }
    Ok(())
}

/// Returns the number of primes in each piece, in order, and the time on `threads` threads.
fn count(threads: usize) -> Result<(Vec<usize>, Duration), Box<dyn Error>> {
    let pool = Pool::builder().threads(0..=threads).build()?;
    let start = Instant::now();
    let handles = (0..LIMIT)
        .step_by(usize::try_from(PIECE)?)
        .map(|from| pool.submit_with_handle(move || primes_in(from..from + PIECE)))
        .collect::<Result<Vec<_>, _>>()?;
    // `wait` returns an error for a piece that panicked.
    let counts = handles
        .into_iter()
        .map(JoinHandle::wait)
        .collect::<Result<Vec<_>, _>>()?;
    let time = start.elapsed();
    pool.shutdown().wait()?;
    Ok((counts, time))
}

fn primes_in(numbers: Range<u64>) -> usize {
    numbers.filter(|n| is_prime(*n)).count()
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..=n.isqrt()).all(|d| n % d != 0)
}
