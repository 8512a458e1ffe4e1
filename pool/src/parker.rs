//! Parking one thread.

use std::time::Instant;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::Token;

/// A thread that waits, and the means by which another ends the wait.
///
/// The thread's own park token belongs to everybody: a task may park and unpark threads as it likes. So the
/// notification is a flag of ours, and the token only ends the sleep in which the flag is looked at.
#[derive(Debug)]
pub(crate) struct Parker {
    notified: AtomicBool,
    token: Token,
}

impl Parker {
    /// A parker for the calling thread.
    pub(crate) fn new() -> Self {
        Self {
            notified: AtomicBool::new(false),
            token: Token::new(),
        }
    }

    /// Waits for a notification, at the latest until `deadline`; false when that passed first. Call it on the thread
    /// that made the parker.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let mut expired = false;
        loop {
            // Acquire pairs with the Release in `unpark`: what was written before the notification is seen after it.
            if self.notified.swap(false, Ordering::Acquire) {
                return true;
            }
            if expired {
                return false;
            }
            expired = self.token.wait(deadline);
        }
    }

    /// Ends the wait, or the next one if there is none now.
    pub(crate) fn unpark(&self) {
        // Release pairs with the Acquire in `park`. A swap, so that all changes of the flag stand in one order.
        self.notified.swap(true, Ordering::Release);
        self.token.signal();
    }
}
