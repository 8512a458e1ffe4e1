//! Counts the tasks that have run.

use std::io;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

/// More cells than processors, so that threads seldom share one.
const CELLS: usize = 64;
/// The least time between two checks for the end.
const STEP: Duration = Duration::from_micros(50);
/// The time between two checks is also this part of the elapsed time, so that checks cost little
/// and add little error.
const PART: u32 = 256;

/// Counts per thread, so that tasks on different threads do not contend on one counter.
pub(crate) struct Tally {
    cells: [CachePadded<AtomicUsize>; CELLS],
    /// The capacity to check, if any.
    bound: Option<isize>,
    /// Tasks that were accepted and have not run. The submitter adds after its submit returns, so
    /// this never exceeds the tasks in the pool.
    in_flight: AtomicIsize,
    max_in_flight: AtomicIsize,
}

thread_local! {
    static CELL: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % CELLS
    };
}

impl Tally {
    /// Leaks the tally, because a process does one run and exits. With a bound it also checks the
    /// capacity, which takes time.
    pub(crate) fn new(bound: Option<usize>) -> &'static Self {
        Box::leak(Box::new(Self {
            cells: std::array::from_fn(|_| CachePadded::default()),
            bound: bound.map(usize::cast_signed),
            in_flight: AtomicIsize::new(0),
            max_in_flight: AtomicIsize::new(0),
        }))
    }

    /// Records that the submit of a task has returned.
    pub(crate) fn accepted(&self) {
        if self.bound.is_some() {
            let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.max_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        }
    }

    /// Records that a task has run. The task still has its slot.
    pub(crate) fn ran(&self) {
        if self.bound.is_some() {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
        CELL.with(|&cell| self.cells[cell].fetch_add(1, Ordering::Release));
    }

    fn sum(&self) -> usize {
        let count = |cell: &CachePadded<AtomicUsize>| cell.load(Ordering::Acquire);
        self.cells.iter().map(count).sum()
    }

    /// Waits until this many tasks have run.
    pub(crate) fn wait(&self, tasks: usize) {
        let start = Instant::now();
        while self.sum() < tasks {
            thread::sleep(STEP.max(start.elapsed() / PART));
        }
    }

    /// Checks that exactly this many tasks have run, and that the capacity was never exceeded.
    pub(crate) fn check(&self, tasks: usize) -> io::Result<()> {
        let ran = self.sum();
        if ran != tasks {
            return Err(io::Error::other(format!("{ran} runs of {tasks} tasks")));
        }
        let most = self.max_in_flight.load(Ordering::Relaxed);
        match self.bound {
            Some(bound) if most > bound => Err(io::Error::other(format!(
                "{most} tasks in flight at capacity {bound}"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_that_runs_twice_is_an_error() {
        let tally = Tally::new(None);
        tally.ran();
        tally.ran();
        tally.wait(2);
        tally.check(2).unwrap();
        let error = tally.check(1).unwrap_err().to_string();
        assert_eq!(error, "2 runs of 1 tasks");
    }

    #[test]
    fn exceeded_capacity_is_an_error() {
        let tally = Tally::new(Some(1));
        for _ in 0..2 {
            tally.accepted();
        }
        tally.ran();
        tally.ran();
        let error = tally.check(2).unwrap_err().to_string();
        assert_eq!(error, "2 tasks in flight at capacity 1");
    }
}
