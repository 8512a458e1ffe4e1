//! The messages that wait for Redis, by room and in order. At most one call of a room is under way.
//! The rooms that fail have a bound of their own, so that they do not hold up the others.

use std::collections::{HashMap, VecDeque};

/// Messages of one call.
pub(super) const BATCH: usize = 256;
/// Messages of rooms that do not fail; more wait outside.
const MOST: usize = 256;
/// Messages of rooms that fail; more are refused.
const MOST_FAILING: usize = 1024;
/// Rooms without messages of which it is known that they failed.
const MOST_IDLE: usize = 1024;

/// Queues of entries by channel.
pub(super) struct Queues<T> {
    rooms: HashMap<String, Queue<T>>,
    /// Entries of rooms that do not fail.
    held: usize,
    /// Entries of rooms that fail.
    failing: usize,
    /// Rooms that failed, and have no entry now.
    idle: usize,
}

struct Queue<T> {
    waiting: VecDeque<T>,
    /// Entries of the call that is under way.
    under_way: usize,
    /// Whether the last call was not answered, or is to be made again.
    fails: bool,
}

impl<T> Queue<T> {
    fn len(&self) -> usize {
        self.waiting.len() + self.under_way
    }
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed<T> {
    /// A call for its room is to begin with the next round.
    First,
    /// A call for its room is to begin. The room failed before, so others do not wait for it.
    Again,
    /// Behind a call that is under way, or due.
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
            idle: 0,
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
        let is_idle = queue.len() == 0;
        if !queue.fails {
            self.held += 1;
        } else if self.failing < MOST_FAILING {
            self.failing += 1;
        } else {
            return Pushed::Refused(entry);
        }
        queue.waiting.push_back(entry);
        if is_idle {
            self.idle -= 1;
            return Pushed::Again;
        }
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
    pub(super) fn end(&mut self, channel: &str, left: Vec<T>, fails: bool) -> bool {
        let Some(queue) = self.rooms.get_mut(channel) else {
            return false;
        };
        *(if queue.fails {
            &mut self.failing
        } else {
            &mut self.held
        }) -= queue.len();
        queue.fails = fails;
        queue.under_way = 0;
        for entry in left.into_iter().rev() {
            queue.waiting.push_front(entry);
        }
        *(if queue.fails {
            &mut self.failing
        } else {
            &mut self.held
        }) += queue.len();
        if queue.len() > 0 {
            return true;
        }
        if fails && self.idle < MOST_IDLE {
            self.idle += 1;
        } else {
            self.rooms.remove(channel);
        }
        false
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
        assert!(queues.end("tea", vec![1], true), "it is tried again");
        assert_eq!(queues.begin("tea"), [1, 2]);
        assert!(!queues.end("tea", Vec::new(), false));
        assert_eq!(queues.begin("milk"), [7]);
        assert!(!queues.end("milk", Vec::new(), false));
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
        assert!(queues.end("tea", left, true));
        assert!(queues.has_space());
        for number in MOST..MOST_FAILING {
            assert_eq!(queues.push("tea", number), Pushed::Queued);
        }
        assert_eq!(queues.push("tea", 0), Pushed::Refused(0));
        assert_eq!(queues.push("milk", 0), Pushed::First);
        // It works again.
        assert_eq!(queues.begin("tea").len(), BATCH);
        assert!(queues.end("tea", Vec::new(), false));
        assert_eq!((queues.held, queues.failing), (MOST_FAILING - BATCH + 1, 0));
    }

    #[test]
    fn room_that_failed_is_known_without_messages() {
        let mut queues = Queues::new();
        let fail = |queues: &mut Queues<usize>, channel: &str| {
            assert_eq!(queues.begin(channel), [1]);
            assert!(!queues.end(channel, Vec::new(), true));
        };
        assert_eq!(queues.push("tea", 1), Pushed::First);
        fail(&mut queues, "tea");
        assert_eq!(queues.push("tea", 1), Pushed::Again);
        assert_eq!((queues.held, queues.failing), (0, 1));
        fail(&mut queues, "tea");
        for number in 0..2 * MOST_IDLE {
            let channel = number.to_string();
            queues.push(&channel, 1);
            fail(&mut queues, &channel);
        }
        assert_eq!((queues.rooms.len(), queues.idle), (MOST_IDLE, MOST_IDLE));
        assert_eq!(queues.push("tea", 1), Pushed::Again);
        assert_eq!(queues.begin("tea"), [1]);
        assert!(!queues.end("tea", Vec::new(), false));
        assert_eq!(
            (queues.rooms.len(), queues.idle),
            (MOST_IDLE - 1, MOST_IDLE - 1)
        );
    }
}
