//! A queue whose entries a limited number of attendants run: a strand, or a subpool with a thread
//! limit.

use std::collections::VecDeque;
use std::fmt;

use crate::sync::{Mutex, MutexGuard};
use crate::task::unwind;

/// A queue of entries, and the number of its attendants.
///
/// An attendant is a pool task, or other code, that will take an entry. While an entry waits, at
/// least one attendant exists.
pub struct Backlog<T>(Mutex<State<T>>);

/// An entry that may be ended before an attendant takes it.
pub trait Entry {
    /// Returns whether it was ended. It may then only be dropped.
    fn is_spent(&mut self) -> bool;
}

struct State<T> {
    waiting: VecDeque<T>,
    attendants: u32,
    most: u32,
}

impl<T: Entry> Backlog<T> {
    /// Creates a backlog with at most `attendants` attendants at once.
    pub fn new(attendants: u32) -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            attendants: 0,
            most: attendants,
        }))
    }

    /// Appends an entry. Returns whether the caller must schedule one more attendant, which is
    /// already counted.
    #[must_use = "without the counted attendant the entry waits forever"]
    pub fn push(&self, entry: T) -> bool {
        let mut state = self.with_room();
        state.waiting.push_back(entry);
        state.enlist()
    }

    /// Appends an entry, unless another attendant may start. In that case returns the entry, and
    /// the caller must schedule an attendant that runs it and is already counted.
    ///
    /// If the entry were queued first, another attendant could run it before the new attendant is
    /// scheduled. The pool could then end before it receives the new attendant.
    #[must_use = "a returned entry is not queued"]
    pub fn push_beyond_limit(&self, entry: T) -> Option<T> {
        let mut state = self.with_room();
        if state.enlist() {
            return Some(entry);
        }
        state.waiting.push_back(entry);
        None
    }

    /// Locks the state for a push. Removes spent entries before the queue would have to grow, or
    /// they would fill the memory while the attendants are busy.
    fn with_room(&self) -> MutexGuard<'_, State<T>> {
        let mut state = self.0.lock();
        if state.waiting.len() == state.waiting.capacity() {
            let spent = state.remove_spent();
            if !spent.is_empty() {
                // Outside of the lock: a drop may run code of the user.
                drop(state);
                unwind::catch(|| drop(spent)).unwrap_or_else(unwind::discard);
                state = self.0.lock();
            }
        }
        state
    }

    /// Takes the next entry for an attendant. On `None` the attendant is no longer counted and must
    /// exit.
    pub fn take(&self) -> Option<T> {
        let mut state = self.0.lock();
        let entry = state.waiting.pop_front();
        if entry.is_none() {
            state.dismiss();
        }
        entry
    }

    /// Returns whether an entry waits for an attendant that has run its own. On false the attendant
    /// is no longer counted and must exit.
    pub fn has_more(&self) -> bool {
        let mut state = self.0.lock();
        let more = !state.waiting.is_empty();
        if !more {
            state.dismiss();
        }
        more
    }

    /// Takes the next entry for a caller that is not an attendant.
    pub fn take_unattended(&self) -> Option<T> {
        self.0.lock().waiting.pop_front()
    }

    pub fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl<T: Entry> State<T> {
    /// Removes the spent entries. Leaves as much room as entries, so that each push costs a bounded
    /// time.
    fn remove_spent(&mut self) -> Vec<T> {
        let mut spent = Vec::new();
        for _ in 0..self.waiting.len() {
            let Some(mut entry) = self.waiting.pop_front() else {
                break;
            };
            if entry.is_spent() {
                spent.push(entry);
            } else {
                self.waiting.push_back(entry);
            }
        }
        self.waiting.reserve(self.waiting.len());
        spent
    }
}

impl<T> State<T> {
    /// Counts one more attendant and returns true, unless the limit is reached.
    fn enlist(&mut self) -> bool {
        let more = self.attendants < self.most;
        self.attendants += u32::from(more);
        more
    }

    fn dismiss(&mut self) {
        // Uncount in one step with the check of the queue, or an entry pushed between waits
        // forever.
        self.attendants -= 1;
        // Free the memory of an idle queue.
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Weak};

    use super::*;

    /// Zeros are spent.
    impl Entry for u32 {
        fn is_spent(&mut self) -> bool {
            *self == 0
        }
    }

    #[test]
    fn spent_entries_do_not_pile_up() {
        let backlog = Backlog::new(1);
        assert!(backlog.push(1), "the attendant is busy from here on");
        for entry in 2..6 {
            assert!(!backlog.push(entry));
            (0..1_000).for_each(|_| assert!(!backlog.push(0)));
        }
        let len = backlog.len();
        assert!(len < 64, "{len} entries, and five of them live");
        let live: Vec<_> = (0..len)
            .filter_map(|_| backlog.take().filter(|entry| *entry > 0))
            .collect();
        assert_eq!(live, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn entries_are_checked_only_when_the_queue_is_full() {
        let backlog = Backlog::new(1);
        assert!(backlog.push(1), "the attendant is busy from here on");
        let lens = [(); 100].map(|()| (backlog.push(0), backlog.len()).1);
        assert!(lens.contains(&3), "each push checks each entry: {lens:?}");
    }

    /// Counts its drops while the lock is free, and while it is not.
    struct Spent(Weak<Backlog<Self>>, Arc<[AtomicUsize; 2]>);

    impl Entry for Spent {
        fn is_spent(&mut self) -> bool {
            true
        }
    }

    impl Drop for Spent {
        fn drop(&mut self) {
            if let Some(backlog) = self.0.upgrade() {
                let is_locked = backlog.0.try_lock().is_none();
                self.1[usize::from(is_locked)].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn spent_entries_are_dropped_outside_of_the_lock() {
        let (backlog, drops) = (
            Arc::new(Backlog::new(1)),
            Arc::<[AtomicUsize; 2]>::default(),
        );
        let spent = || Spent(Arc::downgrade(&backlog), Arc::clone(&drops));
        assert!(backlog.push(spent()), "the attendant is busy from here on");
        (0..100).for_each(|_| assert!(!backlog.push(spent())));
        let [free, locked] = [0, 1].map(|index: usize| drops[index].load(Ordering::Relaxed));
        assert!(
            free > 0 && locked == 0,
            "{free} drops, {locked} under the lock"
        );
    }

    #[test]
    fn debug_shows_the_counts() {
        let backlog = Backlog::new(2);
        assert!(backlog.push(1));
        let shown = format!("{backlog:?}");
        assert_eq!(shown, "Backlog { waiting: 1, attendants: 1, most: 2 }");
    }

    #[test]
    fn attendants_stay_within_their_limit() {
        let backlog = Backlog::new(2);
        let pushed = [1, 2, 3, 4].map(|entry| backlog.push_beyond_limit(entry));
        assert_eq!(pushed, [Some(1), Some(2), None, None]);
        assert_eq!((backlog.has_more(), backlog.take()), (true, Some(3)));
        assert!(!backlog.push(5), "both attendants still count");
    }

    #[test]
    fn attendant_without_entry_can_be_replaced() {
        let backlog = Backlog::new(1);
        assert!(backlog.push(1));
        assert_eq!((backlog.take(), backlog.has_more()), (Some(1), false));
        assert!(backlog.push(2));
        assert_eq!(backlog.take_unattended(), Some(2));
        assert_eq!((backlog.take(), backlog.len()), (None, 0));
        assert!(backlog.push(3));
    }
}
