//! Looking again before sleeping.

use crate::sync::{spin_loop, thread};

/// The looks of a worker: a few microseconds. Others want its core.
const WORKER: u32 = 48;

/// The looks of a submitter, longer than it takes a worker to wake up: that may be what it waits for.
const SUBMITTER: u32 = 3 * WORKER;

/// Looks between two in which the processor is offered to others, for the one that is waited for may need this very core.
const YIELD: u32 = 16;

/// How long a look waits for the next, in hints to the processor: some 10 to 200 ns, depending on its kind.
const PAUSE: u32 = 4;

/// A budget of looks: parking and unparking a thread costs two system calls and a context switch, and much of what is
/// waited for comes sooner than that. There is none where the one that is waited for has no core to run on meanwhile.
#[derive(Debug)]
pub(crate) struct Spin {
    left: u32,
}

impl Spin {
    /// For one that waits for a task.
    pub(crate) fn worker() -> Self {
        Self::with(WORKER)
    }

    /// For one that waits for a slot.
    pub(crate) fn submitter() -> Self {
        Self::with(SUBMITTER)
    }

    fn with(looks: u32) -> Self {
        let left = if thread::may_spin() { looks } else { 0 };
        Self { left }
    }

    /// Waits a moment; false when the budget is spent.
    pub(crate) fn turn(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        if self.left % YIELD == 0 {
            thread::yield_now();
        } else {
            for _ in 0..PAUSE {
                spin_loop();
            }
        }
        true
    }
}
