//! Counts the tasks that have run.

use std::io;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

/// More than there are processors, so that threads seldom share one.
const CELLS: usize = 64;
/// How often it looks whether all have run, at most.
const STEP: Duration = Duration::from_micros(50);
/// And at least in this part of the time that it took so far, so that looking costs little and errs by little.
const PART: u32 = 256;

/// Each thread counts for itself, so that the tasks of two threads do not wait for one counter.
pub(crate) struct Tally {
    cells: [CachePadded<AtomicUsize>; CELLS],
    /// How many tasks may be in the pool, if that is to be seen to.
    bound: Option<isize>,
    /// Accepted and not counted yet: the submitter adds after its submit has returned, so this is never more than there
    /// are in the pool.
    inside: AtomicIsize,
    most_inside: AtomicIsize,
}

thread_local! {
    static CELL: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % CELLS
    };
}

impl Tally {
    /// A process plays one part and ends, so this is never freed. With a bound it checks that one too, which takes time.
    pub(crate) fn new(bound: Option<usize>) -> &'static Self {
        Box::leak(Box::new(Self {
            cells: std::array::from_fn(|_| CachePadded::default()),
            bound: bound.map(usize::cast_signed),
            inside: AtomicIsize::new(0),
            most_inside: AtomicIsize::new(0),
        }))
    }

    /// The submit of a task has returned.
    pub(crate) fn accepted(&self) {
        if self.bound.is_some() {
            let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_inside.fetch_max(inside, Ordering::Relaxed);
        }
    }

    /// A task has run. It still holds its place in the pool.
    pub(crate) fn ran(&self) {
        if self.bound.is_some() {
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
        CELL.with(|&cell| self.cells[cell].fetch_add(1, Ordering::Release));
    }

    fn sum(&self) -> usize {
        let count = |cell: &CachePadded<AtomicUsize>| cell.load(Ordering::Acquire);
        self.cells.iter().map(count).sum()
    }

    /// Waits until so many tasks have run.
    pub(crate) fn wait(&self, tasks: usize) {
        let start = Instant::now();
        while self.sum() < tasks {
            thread::sleep(STEP.max(start.elapsed() / PART));
        }
    }

    /// Whether just so many have run, and never more were in the pool than may be.
    pub(crate) fn check(&self, tasks: usize) -> io::Result<()> {
        let ran = self.sum();
        if ran != tasks {
            return Err(io::Error::other(format!("{tasks} tasks ran {ran} times")));
        }
        let most = self.most_inside.load(Ordering::Relaxed);
        match self.bound {
            Some(bound) if most > bound => Err(io::Error::other(format!(
                "{most} tasks were in a pool of capacity {bound}"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_to_run_once() {
        let tally = Tally::new(None);
        tally.ran();
        tally.ran();
        tally.wait(2);
        tally.check(2).unwrap();
        let error = tally.check(1).unwrap_err().to_string();
        assert_eq!(error, "1 tasks ran 2 times");
    }

    #[test]
    fn a_broken_bound_is_seen() {
        let tally = Tally::new(Some(1));
        for _ in 0..2 {
            tally.accepted();
        }
        tally.ran();
        tally.ran();
        let error = tally.check(2).unwrap_err().to_string();
        assert_eq!(error, "2 tasks were in a pool of capacity 1");
    }
}
