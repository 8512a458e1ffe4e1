//! The messages that wait for Redis, by room and in order. At most one call of a room is under way.
//! The rooms that fail have a bound of their own, so that they do not hold up the others.

use std::collections::{HashMap, VecDeque};

/// Messages of one call.
pub(super) const BATCH: usize = 256;
/// Messages of rooms that do not fail; more wait outside.
const MOST: usize = 256;
/// Messages of rooms that fail; more are refused.
const MOST_FAILING: usize = 1024;

/// Queues of entries by channel.
pub(super) struct Queues<T> {
    rooms: HashMap<String, Queue<T>>,
    /// Entries of rooms that do not fail.
    held: usize,
    /// Entries of rooms that fail.
    failing: usize,
}

struct Queue<T> {
    waiting: VecDeque<T>,
    /// Entries of the call that is under way.
    under_way: usize,
    fails: bool,
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed<T> {
    /// A call for its room is to begin.
    First,
    Queued,
    /// Its room fails, and too many entries wait for such rooms.
    Refused(T),
}

impl<T> Queues<T> {
    pub(super) fn new() -> Self {
        Self {
            rooms: HashMap::new(),
            held: 0,
            failing: 0,
        }
    }

    /// Returns whether to receive more.
    pub(super) fn has_space(&self) -> bool {
        self.held < MOST
    }

    pub(super) fn push(&mut self, channel: &str, entry: T) -> Pushed<T> {
        let Some(queue) = self.rooms.get_mut(channel) else {
            let queue = Queue {
                waiting: VecDeque::from([entry]),
                under_way: 0,
                fails: false,
            };
            self.rooms.insert(channel.to_owned(), queue);
            self.held += 1;
            return Pushed::First;
        };
        if !queue.fails {
            self.held += 1;
        } else if self.failing < MOST_FAILING {
            self.failing += 1;
        } else {
            return Pushed::Refused(entry);
        }
        queue.waiting.push_back(entry);
        Pushed::Queued
    }

    /// Returns the entries of the next call for a room. It has no other call.
    pub(super) fn begin(&mut self, channel: &str) -> Vec<T> {
        let Some(queue) = self.rooms.get_mut(channel) else {
            return Vec::new();
        };
        let batch = queue.waiting.len().min(BATCH);
        queue.under_way = batch;
        queue.waiting.drain(..batch).collect()
    }

    /// Ends the call of a room; the entries `left` of it are tried again before all others. Returns
    /// whether the room has more to send.
    pub(super) fn end(&mut self, channel: &str, left: Vec<T>) -> bool {
        let Some(queue) = self.rooms.get_mut(channel) else {
            return false;
        };
        let before = queue.waiting.len() + queue.under_way;
        *(if queue.fails {
            &mut self.failing
        } else {
            &mut self.held
        }) -= before;
        queue.fails = !left.is_empty();
        queue.under_way = 0;
        for entry in left.into_iter().rev() {
            queue.waiting.push_front(entry);
        }
        let now = queue.waiting.len();
        *(if queue.fails {
            &mut self.failing
        } else {
            &mut self.held
        }) += now;
        if now == 0 {
            self.rooms.remove(channel);
        }
        now > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_has_one_call_and_keeps_its_order() {
        let mut queues = Queues::new();
        assert_eq!(queues.push("tea", 1), Pushed::First);
        assert_eq!(queues.begin("tea"), [1]);
        assert_eq!(queues.push("tea", 2), Pushed::Queued);
        assert_eq!(queues.push("milk", 7), Pushed::First);
        assert!(queues.end("tea", vec![1]), "it is tried again");
        assert_eq!(queues.begin("tea"), [1, 2]);
        assert!(!queues.end("tea", Vec::new()));
        assert_eq!(queues.begin("milk"), [7]);
        assert!(!queues.end("milk", Vec::new()));
        assert_eq!((queues.rooms.len(), queues.held, queues.failing), (0, 0, 0));
    }

    #[test]
    fn room_that_fails_takes_no_space_of_others() {
        let mut queues = Queues::new();
        for number in 0..MOST {
            assert!(queues.has_space());
            queues.push("tea", number);
        }
        assert!(!queues.has_space());
        let left = queues.begin("tea");
        assert!(queues.end("tea", left));
        assert!(queues.has_space());
        for number in MOST..MOST_FAILING {
            assert_eq!(queues.push("tea", number), Pushed::Queued);
        }
        assert_eq!(queues.push("tea", 0), Pushed::Refused(0));
        assert_eq!(queues.push("milk", 0), Pushed::First);
        // It works again.
        assert_eq!(queues.begin("tea").len(), BATCH);
        assert!(queues.end("tea", Vec::new()));
        assert_eq!((queues.held, queues.failing), (MOST_FAILING - BATCH + 1, 0));
    }
}
