//! Parks a thread, on its own or in the reactor.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::thread::Token;
use crate::wait::reactor;
use crate::wait::reactor::Reactor;

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const IN_REACTOR: u8 = 2;
const NOTIFIED: u8 = 3;

/// Parks its thread until another thread notifies it.
///
/// The notification is a separate word, because a task may also use the thread's own park token.
/// The token only ends the park, after which the thread checks the word. The word also records
/// where the thread waits, so that `unpark` signals the token, the reactor or neither.
pub struct Parker {
    state: AtomicU8,
    token: Token,
    /// Unparked while the thread waits in it.
    reactor: Option<Arc<dyn Reactor>>,
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").finish_non_exhaustive()
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unparked {
    /// A notification arrived and was consumed.
    Notified,
    /// The deadline passed first.
    Expired,
    /// A reactor event gave this thread a task, or the reactor broke.
    Event,
}

impl Parker {
    /// Creates a parker for the calling thread.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Creates a parker for the calling thread, which can also wait in `reactor`.
    pub fn with(reactor: Option<Arc<dyn Reactor>>) -> Self {
        Self {
            state: AtomicU8::new(AWAKE),
            token: Token::new(),
            reactor,
        }
    }

    /// Blocks until a notification or the deadline. Only the thread that created the parker may
    /// call this.
    pub fn park(&self, deadline: Option<Instant>) -> Unparked {
        self.park_by(ASLEEP, || self.token.wait(deadline), || false)
    }

    /// Blocks in the reactor, which the caller holds, by calling `wait`. Returns on a notification,
    /// or once `is_over` returns true.
    pub fn park_in_reactor(&self, wait: impl Fn(), is_over: impl Fn() -> bool) -> Unparked {
        let wait = || {
            wait();
            false
        };
        self.park_by(IN_REACTOR, wait, is_over)
    }

    /// `wait` returns true after the deadline, and may return early.
    fn park_by(&self, place: u8, wait: impl Fn() -> bool, is_over: impl Fn() -> bool) -> Unparked {
        // Acquire pairs with the Release in `unpark`: the thread sees all writes before the
        // notification. All changes of the word are read-modify-writes, so they have one order.
        // Either `unpark` sees where this thread waits, or this thread sees the notification before
        // it waits.
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
        debug_assert!(was_notified, "only its own thread may park");
        Unparked::Notified
    }

    fn replace(&self, current: u8, new: u8) -> bool {
        let replaced =
            self.state
                .compare_exchange(current, new, Ordering::Acquire, Ordering::Relaxed);
        replaced.is_ok()
    }

    /// Notifies the thread: ends its wait, or its next wait if it does not wait now.
    pub fn unpark(&self) {
        // Release pairs with the Acquire in `park_by`.
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
