//! Parking one thread: in its own sleep, or in the reactor.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::reactor::{self, Reactor};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::thread::Token;

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const IN_REACTOR: u8 = 2;
const NOTIFIED: u8 = 3;

/// A thread that waits, and the means by which another ends the wait.
///
/// The thread's own park token belongs to everybody: a task may park and unpark threads as it likes. So the
/// notification is a word of ours, and the token only ends the sleep in which the word is looked at. The word also says
/// where the thread waits, so that the one that notifies it knows what to ring, and rings nothing if it does not wait.
pub(crate) struct Parker {
    state: AtomicU8,
    token: Token,
    /// What is rung when the thread waits there.
    reactor: Option<Arc<dyn Reactor>>,
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").finish_non_exhaustive()
    }
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unparked {
    /// There was a notification, and it is used up.
    Notified,
    /// The deadline passed first.
    Expired,
    /// An event in the reactor gave this very thread something to do, or the reactor broke.
    Event,
}

impl Parker {
    /// A parker for the calling thread.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// A parker for the calling thread, which may also wait in this reactor.
    pub(crate) fn with(reactor: Option<Arc<dyn Reactor>>) -> Self {
        Self {
            state: AtomicU8::new(AWAKE),
            token: Token::new(),
            reactor,
        }
    }

    /// Waits for a notification, at the latest until `deadline`. Call it on the thread that made the parker.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> Unparked {
        self.park_by(ASLEEP, || self.token.wait(deadline), || false)
    }

    /// As `park`, but by `wait` in the reactor, which the calling thread holds. It also ends once `is_over` says so.
    pub(crate) fn park_in_reactor(&self, wait: impl Fn(), is_over: impl Fn() -> bool) -> Unparked {
        let wait = || {
            wait();
            false
        };
        self.park_by(IN_REACTOR, wait, is_over)
    }

    /// `wait` returns true once the deadline has passed, and may return early.
    fn park_by(&self, place: u8, wait: impl Fn() -> bool, is_over: impl Fn() -> bool) -> Unparked {
        // Acquire pairs with the Release in `unpark`: what was written before the notification is seen after it.
        // Changes of the word are all read-modify-writes, so they stand in one order: either `unpark` sees where this
        // thread waits, or this thread sees the notification before it waits.
        while self.replace(AWAKE, place) {
            let expired = wait();
            if self.state.swap(AWAKE, Ordering::Acquire) == NOTIFIED {
                return Unparked::Notified;
            }
            if is_over() {
                return Unparked::Event;
            }
            if expired {
                return Unparked::Expired;
            }
        }
        let was_notified = self.replace(NOTIFIED, AWAKE);
        debug_assert!(was_notified, "a parker is its thread's own");
        Unparked::Notified
    }

    fn replace(&self, current: u8, new: u8) -> bool {
        let replaced =
            self.state
                .compare_exchange(current, new, Ordering::Acquire, Ordering::Relaxed);
        replaced.is_ok()
    }

    /// Ends the wait, or the next one if there is none now.
    pub(crate) fn unpark(&self) {
        // Release pairs with the Acquire in `park`.
        match self.state.swap(NOTIFIED, Ordering::Release) {
            ASLEEP => self.token.signal(),
            IN_REACTOR => {
                if let Some(reactor) = &self.reactor {
                    reactor::unpark(&**reactor);
                }
            }
            _ => {}
        }
    }
}
