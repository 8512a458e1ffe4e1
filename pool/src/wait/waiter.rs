//! A waiting thread or future behind one type.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::task::unwind;
use crate::wait::parker::{Parker, Unparked};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The waiter owns the slot, or the awaited event occurred.
    Granted,
    /// The pool was closed.
    Closed,
    /// The capacity shrank below the number of slots that it waits for.
    TooMany,
}

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const CLOSED: u8 = 2;
const TOO_MANY: u8 = 3;

/// A waiter, shared by the waiting thread or future and the line.
#[derive(Debug)]
pub struct Waiter {
    state: AtomicU8,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Thread(Parker),
    Task(Mutex<Option<Waker>>),
}

impl Waiter {
    /// Creates a waiter for the calling thread.
    pub fn thread() -> Self {
        Self {
            state: AtomicU8::new(WAITING),
            kind: Kind::Thread(Parker::new()),
        }
    }

    /// Creates a waiter for the future that is polled with `waker`.
    pub fn task(waker: &Waker) -> Self {
        Self {
            state: AtomicU8::new(WAITING),
            kind: Kind::Task(Mutex::new(Some(waker.clone()))),
        }
    }

    /// Sets the outcome, once. The caller then calls `wake`, outside the line's lock because a
    /// waker is foreign code.
    pub fn settle(&self, outcome: Outcome) {
        let state = match outcome {
            Outcome::Granted => GRANTED,
            Outcome::Closed => CLOSED,
            Outcome::TooMany => TOO_MANY,
        };
        // Release pairs with the Acquire in `outcome`: the waiter sees what the task did that
        // released the slot.
        self.state.store(state, Ordering::Release);
    }

    pub fn wake(&self) {
        match &self.kind {
            Kind::Thread(parker) => parker.unpark(),
            Kind::Task(waker) => {
                let waker = waker.lock().take();
                if let Some(waker) = waker {
                    // A waker is foreign code. A panic must not keep the next waiters from being
                    // woken.
                    unwind::catch(|| waker.wake()).unwrap_or_else(unwind::discard);
                }
            }
        }
    }

    /// Returns the outcome, if the wait has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state.load(Ordering::Acquire) {
            GRANTED => Some(Outcome::Granted),
            CLOSED => Some(Outcome::Closed),
            TOO_MANY => Some(Outcome::TooMany),
            _ => None,
        }
    }

    /// Blocks the thread that created the waiter. Returns `None` if the deadline passes first.
    pub fn wait(&self, deadline: Option<Instant>) -> Option<Outcome> {
        let Kind::Thread(parker) = &self.kind else {
            unreachable!("only waiters made by `thread` block a thread");
        };
        loop {
            if let Some(outcome) = self.outcome() {
                return Some(outcome);
            }
            if parker.park(deadline) == Unparked::Expired {
                return self.outcome();
            }
        }
    }

    /// Polls the wait from a future.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let Kind::Task(waker) = &self.kind {
            // Clone before the lock and drop after it: both run foreign code, which may call back.
            let new = cx.waker().clone();
            let old = waker.lock().replace(new);
            drop(old);
        }
        // Register the waker before checking, or a wake-up is lost.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}
