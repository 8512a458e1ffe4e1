//! What a task stores in its packet while it is not running.

use std::task::Waker;

use crate::task::{Limit, Payload, unwind};

/// What a task stores in its packet while it is not running.
pub trait Resting<T>: Send + Sized {
    /// Whether it is a closure, which any worker can run.
    const IS_CLOSURE: bool;

    /// Runs the closure. Panics for a future.
    fn run(self) -> Result<T, Payload>;

    /// Returns whether a closure begins too late. Call it before `run`.
    fn begins_late(&mut self) -> bool {
        false
    }

    /// Ends a cancelled task: wakes a future so that a worker drops it.
    fn give_up(self);

    /// Returns the waker that was kept for a cancel, because no handle can cancel the task any
    /// more. A future must not own its own last waker, or it is leaked.
    fn detach(&mut self) -> Option<Waker>;
}

/// A closure that has not begun.
pub struct Unbegun<F, L> {
    pub f: F,
    pub limit: L,
}

impl<T, F: FnOnce() -> T + Send, L: Limit> Resting<T> for Unbegun<F, L> {
    const IS_CLOSURE: bool = true;

    fn run(self) -> Result<T, Payload> {
        unwind::catch(self.f)
    }

    fn begins_late(&mut self) -> bool {
        self.limit.begins_late()
    }

    fn give_up(self) {}

    fn detach(&mut self) -> Option<Waker> {
        None
    }
}

/// A future between two polls. Its waker lets a cancel have it dropped.
pub struct Suspended(pub Option<Waker>);

impl<T> Resting<T> for Suspended {
    const IS_CLOSURE: bool = false;

    fn run(self) -> Result<T, Payload> {
        unreachable!("a future is polled by its own task")
    }

    fn give_up(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }

    fn detach(&mut self) -> Option<Waker> {
        self.0.take()
    }
}
