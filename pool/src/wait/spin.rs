//! Spinning before a park.

use crate::sync::{spin_loop, thread};

/// Checks of a worker before it parks, a few microseconds: other threads need its core.
const WORKER: u32 = 48;

/// Checks of a submitter before it parks. Outlasts the wake-up of a worker that may free a slot.
const SUBMITTER: u32 = 3 * WORKER;

/// Checks between two yields. A yield lets the awaited thread run if it needs this core.
const YIELD: u32 = 16;

/// Checks between two yields of a submitter behind a backlog. The workers have work for a while, so
/// they need the core more.
const YIELD_TO_BACKLOG: u32 = 8;

/// The lowest capacity at which the tasks of a full pool count as a backlog.
const BACKLOG: usize = 32;

/// Spin hints between two checks: 10 to 200 ns, depending on the CPU.
const PAUSE: u32 = 4;

/// A budget of checks. Work often arrives sooner than a park and unpark take: two system calls and
/// a context switch. On a single CPU the budget is zero, because the awaited thread could not run
/// during the spin.
#[derive(Debug)]
pub struct Spin {
    left: u32,
    /// Checks between two yields.
    interval: u32,
}

impl Spin {
    /// The budget of a worker that waits for a task.
    pub fn worker() -> Self {
        Self::with(WORKER, YIELD)
    }

    /// The budget of a submitter that waits for one of `capacity` slots.
    pub fn submitter(capacity: usize) -> Self {
        let interval = if capacity < BACKLOG {
            YIELD
        } else {
            YIELD_TO_BACKLOG
        };
        Self::with(SUBMITTER, interval)
    }

    fn with(checks: u32, interval: u32) -> Self {
        let left = if thread::may_spin() { checks } else { 0 };
        Self { left, interval }
    }

    /// Pauses before the next check. Returns false when the budget is spent.
    pub fn turn(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        if self.left % self.interval == 0 {
            thread::yield_now();
        } else {
            for _ in 0..PAUSE {
                spin_loop();
            }
        }
        true
    }
}
