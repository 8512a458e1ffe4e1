//! Looking again before sleeping.

use crate::sync::{spin_loop, thread};

/// Looks between two in which the processor is offered to others.
const LOOKS: u32 = 16;

/// How long a look waits for the next, in hints to the processor: some 50 to 200 ns, depending on its kind.
const PAUSE: u32 = 4;

/// A budget of looks, a few microseconds long: parking and unparking a thread costs two system calls and a context
/// switch, and much of what is waited for comes sooner than that.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    turns: u32,
}

impl Spin {
    /// Waits a moment; false when the budget is spent.
    pub(crate) fn turn(&mut self) -> bool {
        if self.turns >= thread::spins() {
            return false;
        }
        self.turns += 1;
        // The one that is waited for may need this very core.
        if self.turns % LOOKS == 0 {
            thread::yield_now();
        } else {
            for _ in 0..PAUSE {
                spin_loop();
            }
        }
        true
    }
}
