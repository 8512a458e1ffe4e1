//! One that waits: a thread or a future, told apart here and nowhere else.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::blocking;
use crate::parker::{Parker, Unparked};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::unwind;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was waited for is the waiter's.
    Granted,
    /// The pool was closed.
    Closed,
}

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const CLOSED: u8 = 2;

/// A place in a line, shared by the one that waits and the line.
#[derive(Debug)]
pub(crate) struct Waiter {
    state: AtomicU8,
    who: Who,
}

#[derive(Debug)]
enum Who {
    Thread(Parker),
    Task(Mutex<Option<Waker>>),
}

impl Waiter {
    /// The calling thread.
    pub(crate) fn thread() -> Self {
        Self {
            state: AtomicU8::new(WAITING),
            who: Who::Thread(Parker::new()),
        }
    }

    /// The future that is being polled with `waker`.
    pub(crate) fn task(waker: &Waker) -> Self {
        Self {
            state: AtomicU8::new(WAITING),
            who: Who::Task(Mutex::new(Some(waker.clone()))),
        }
    }

    /// Decides how the wait ends, once. `wake` then tells the waiter; the two are apart so that no foreign waker runs
    /// under the line's lock.
    pub(crate) fn settle(&self, outcome: Outcome) {
        let state = match outcome {
            Outcome::Granted => GRANTED,
            Outcome::Closed => CLOSED,
        };
        // Release pairs with the Acquire in `outcome`: the waiter then sees what the task did that gave up its slot.
        self.state.store(state, Ordering::Release);
    }

    pub(crate) fn wake(&self) {
        match &self.who {
            Who::Thread(parker) => parker.unpark(),
            Who::Task(waker) => {
                let waker = waker.lock().take();
                if let Some(waker) = waker {
                    // Somebody else's code. Its panic must not keep the others in line from being told.
                    unwind::catch(|| waker.wake()).unwrap_or_else(unwind::discard);
                }
            }
        }
    }

    /// How the wait ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.state.load(Ordering::Acquire) {
            GRANTED => Some(Outcome::Granted),
            CLOSED => Some(Outcome::Closed),
            _ => None,
        }
    }

    /// Waits on the calling thread, which made the waiter; nothing when the deadline passed first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let Who::Thread(parker) = &self.who else {
            unreachable!("only a waiter made by `thread` is waited for by a thread");
        };
        if self.outcome().is_none() {
            blocking::check();
        }
        loop {
            if let Some(outcome) = self.outcome() {
                return Some(outcome);
            }
            if parker.park(deadline) == Unparked::Expired {
                return self.outcome();
            }
        }
    }

    /// Waits in a future.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let Who::Task(waker) = &self.who {
            // Cloned before the lock and dropped after it: both are somebody else's code, and may come back to us.
            let new = cx.waker().clone();
            let old = waker.lock().replace(new);
            drop(old);
        }
        // After the waker is in place: one that settles later finds it.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}
