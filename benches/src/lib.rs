//! anthill and its peers behind one trait, so that each bench gives all of them the same work.
//!
//! Run with `cargo bench -p benches`. The figures of one run belong together; those of two runs on a shared machine do
//! not. What is compared is the cost of handing work over, not of the work.

pub mod bounded;
pub mod peers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

/// Worker threads of every peer.
pub const THREADS: usize = 2;

/// A pool that runs closures.
pub trait Peer: Sync + Sized {
    /// Its name in the report.
    const NAME: &'static str;

    /// A pool of [`THREADS`] threads. Those that can be bounded hold at most `capacity` tasks.
    fn new(capacity: usize) -> Self;

    /// Hands a closure over; waits if the pool is bounded and full.
    fn submit(&self, task: impl FnOnce() + Send + 'static);
}

/// Counts tasks down, and wakes the one thread that waits for the last.
#[derive(Clone, Debug)]
pub struct Countdown(Arc<(AtomicUsize, Thread)>);

impl Countdown {
    /// For the calling thread, which waits for `count` tasks.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Arc::new((AtomicUsize::new(count), thread::current())))
    }

    /// One task less.
    pub fn done(&self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.unpark();
        }
    }

    /// Waits until all are done.
    pub fn wait(&self) {
        while self.0.0.load(Ordering::Acquire) > 0 {
            thread::park();
        }
    }
}

/// Lets `producers` threads submit `tasks` closures that do next to nothing, and waits until all have run.
pub fn submit_all<P: Peer>(pool: &P, producers: usize, tasks: usize) {
    let left = Countdown::new(tasks);
    let produce = |share: usize| {
        for _ in 0..share {
            let left = left.clone();
            pool.submit(move || left.done());
        }
    };
    if producers == 1 {
        produce(tasks);
    } else {
        thread::scope(|scope| {
            for producer in 0..producers {
                let share = tasks / producers + usize::from(producer < tasks % producers);
                let produce = &produce;
                scope.spawn(move || produce(share));
            }
        });
    }
    left.wait();
}
