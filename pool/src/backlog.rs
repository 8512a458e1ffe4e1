//! Tasks that a limited number of attendants take: those of a strand, and the closures of a subpool with a thread limit.

use std::collections::VecDeque;
use std::fmt;

use crate::sync::Mutex;

/// A queue of entries, and how many attendants there are for it.
///
/// An attendant is a task of the pool, or anything else that takes an entry later. As long as an entry waits, at least
/// one attendant exists.
pub(crate) struct Backlog<T>(Mutex<State<T>>);

struct State<T> {
    waiting: VecDeque<T>,
    attendants: u32,
    most: u32,
}

impl<T> Backlog<T> {
    /// With the most attendants that there may be at once.
    pub(crate) fn new(attendants: u32) -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            attendants: 0,
            most: attendants,
        }))
    }

    /// Appends an entry. Returns whether the caller has to send one more attendant, which counts already.
    #[must_use = "an attendant that counts and is not sent leaves the entry waiting"]
    pub(crate) fn push(&self, entry: T) -> bool {
        let mut state = self.0.lock();
        state.waiting.push_back(entry);
        state.enlist()
    }

    /// Appends an entry, or returns it if the caller has to send one more attendant, which counts already and brings the
    /// entry along.
    ///
    /// With several attendants, one could otherwise run the entry before the new one is in the pool. The new one would
    /// then come to a pool that may have ended.
    #[must_use = "an entry that is returned does not wait"]
    pub(crate) fn push_beyond_limit(&self, entry: T) -> Option<T> {
        let mut state = self.0.lock();
        if state.enlist() {
            return Some(entry);
        }
        state.waiting.push_back(entry);
        None
    }

    /// Takes the next entry for an attendant. With none, the attendant no longer counts and has to leave.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.0.lock();
        let entry = state.waiting.pop_front();
        if entry.is_none() {
            state.dismiss();
        }
        entry
    }

    /// Whether an attendant that has run its entry finds another. If not, it no longer counts and has to leave.
    pub(crate) fn has_more(&self) -> bool {
        let mut state = self.0.lock();
        let more = !state.waiting.is_empty();
        if !more {
            state.dismiss();
        }
        more
    }

    /// Takes the next entry for a caller that is no attendant.
    pub(crate) fn take_apart(&self) -> Option<T> {
        self.0.lock().waiting.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl<T> State<T> {
    /// Counts one more attendant, if there may be one more.
    fn enlist(&mut self) -> bool {
        let more = self.attendants < self.most;
        self.attendants += u32::from(more);
        more
    }

    fn dismiss(&mut self) {
        // In one step with the look at the queue, or an entry that is pushed in between waits for ever.
        self.attendants -= 1;
        // Nothing waits: an idle queue keeps no memory.
        self.waiting = VecDeque::new();
    }
}

impl<T> fmt::Debug for Backlog<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Backlog")
            .field("waiting", &state.waiting.len())
            .field("attendants", &state.attendants)
            .field("most", &state.most)
            .finish()
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_more_attendants_come_than_may() {
        let backlog = Backlog::new(2);
        let pushed = [1, 2, 3, 4].map(|entry| backlog.push_beyond_limit(entry));
        assert_eq!(pushed, [Some(1), Some(2), None, None]);
        assert_eq!((backlog.has_more(), backlog.take()), (true, Some(3)));
        assert!(!backlog.push(5), "both attendants still count");
    }

    #[test]
    fn an_attendant_without_an_entry_is_replaced() {
        let backlog = Backlog::new(1);
        assert!(backlog.push(1));
        assert_eq!((backlog.take(), backlog.has_more()), (Some(1), false));
        assert!(backlog.push(2));
        assert_eq!(backlog.take_apart(), Some(2));
        assert_eq!((backlog.take(), backlog.len()), (None, 0));
        assert!(backlog.push(3));
    }
}
