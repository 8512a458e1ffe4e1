//! Looking again before sleeping.

use crate::sync::{spin_loop, thread};

/// A budget of looks, a few microseconds long: parking and unparking a thread costs two system calls and a context
/// switch, and much of what is waited for comes sooner than that.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    turns: u32,
}

impl Spin {
    /// Waits a little longer than the last time; false when the budget is spent.
    pub(crate) fn turn(&mut self) -> bool {
        if self.turns >= thread::spins() {
            return false;
        }
        self.turns += 1;
        // The one that is waited for may need this very core.
        if self.turns % 4 == 0 {
            thread::yield_now();
        } else {
            for _ in 0..1 << self.turns.min(6) {
                spin_loop();
            }
        }
        true
    }
}
