//! What was said in each room lately, for those who come back or come late. A room's history outlives the room: it is
//! forgotten by age, by number, or when all of it together takes too much memory.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long the number of a room's newest message is known, when the message is not. A client that comes back later
/// than that would be told that nothing is missing, if the room had by then as many new messages.
pub(crate) const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Messages of one room.
    pub(crate) messages: usize,
    /// Age of a message.
    pub(crate) age: Duration,
    /// Bytes of all rooms.
    pub(crate) bytes: usize,
}

/// The logs of all rooms.
pub(crate) struct History {
    limits: Limits,
    /// Of all logs together.
    bytes: Arc<AtomicUsize>,
    logs: Mutex<HashMap<Arc<str>, Arc<Log>>>,
}

/// What was said in one room.
pub(crate) struct Log {
    limits: Limits,
    all_bytes: Arc<AtomicUsize>,
    past: Mutex<Past>,
}

struct Past {
    /// The number of the newest message; 0 before the first.
    newest: u64,
    /// When that was.
    at: Instant,
    /// The newest messages as they were sent, the newest last, without gaps.
    messages: VecDeque<(Instant, Bytes)>,
}

impl History {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: Arc::default(),
            logs: Mutex::default(),
        }
    }

    /// The log of a room, new if there is none.
    pub(crate) fn log(&self, room: &Arc<str>) -> Arc<Log> {
        let new = || {
            Arc::new(Log {
                limits: self.limits,
                all_bytes: self.bytes.clone(),
                past: Mutex::new(Past {
                    newest: 0,
                    at: Instant::now(),
                    messages: VecDeque::new(),
                }),
            })
        };
        let mut logs = self.logs.lock();
        logs.entry(room.clone()).or_insert_with(new).clone()
    }

    /// Takes what a room had in another life: the number of its newest message, and messages by age, without gaps.
    pub(crate) fn restore(
        &self,
        room: &str,
        newest: u64,
        messages: impl Iterator<Item = (Duration, Bytes)>,
    ) {
        self.log(&room.into()).begin_at(newest, messages);
    }

    /// Forgets what is too old, and logs of rooms that nobody is in and nobody was in for long.
    pub(crate) fn expire(&self) {
        self.logs.lock().retain(|_, log| {
            let past = &mut *log.past.lock();
            log.forget_old(past);
            let in_use = Arc::strong_count(log) > 1;
            in_use || (past.newest > 0 && past.at.elapsed() < REMEMBER.max(self.limits.age))
        });
    }

    /// How many messages there are. Looks into each log, which costs those who append nothing.
    pub(crate) fn messages(&self) -> usize {
        let logs = self.logs.lock();
        logs.values()
            .map(|log| log.past.lock().messages.len())
            .sum()
    }

    /// How much memory the messages take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Log {
    /// The number of the newest message; 0 before the first.
    pub(crate) fn newest(&self) -> u64 {
        self.past.lock().newest
    }

    /// Numbers a message, and keeps the bytes that `make` makes of it.
    pub(crate) fn append<T>(&self, make: impl FnOnce(u64) -> (Bytes, T)) -> (u64, T) {
        let past = &mut *self.past.lock();
        past.newest += 1;
        let (frame, message) = make(past.newest);
        self.keep(past, Instant::now(), frame);
        (past.newest, message)
    }

    /// Keeps a message that has its number already.
    pub(crate) fn push(&self, seq: u64, frame: Bytes) {
        let past = &mut *self.past.lock();
        past.newest = seq;
        self.keep(past, Instant::now(), frame);
    }

    /// Forgets all, and begins with the number of the newest message and messages by age, without gaps.
    pub(crate) fn begin_at(&self, newest: u64, messages: impl Iterator<Item = (Duration, Bytes)>) {
        let past = &mut *self.past.lock();
        while !past.messages.is_empty() {
            self.forget_oldest(past);
        }
        past.newest = newest;
        let now = Instant::now();
        for (age, frame) in messages {
            self.keep(past, now.checked_sub(age).unwrap_or(now), frame);
        }
    }

    fn keep(&self, past: &mut Past, at: Instant, frame: Bytes) {
        past.at = at;
        self.all_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        past.messages.push_back((at, frame));
        self.forget_old(past);
        // The room that speaks pays for what it says.
        while past.messages.len() > self.limits.messages
            || (self.all_bytes.load(Ordering::Relaxed) > self.limits.bytes
                && !past.messages.is_empty())
        {
            self.forget_oldest(past);
        }
    }

    /// All that was said after the message with this number; nothing if some of it was forgotten, or if there never was
    /// such a message.
    pub(crate) fn after(&self, seq: u64) -> Option<Vec<Bytes>> {
        let past = &mut *self.past.lock();
        self.forget_old(past);
        let missed = usize::try_from(past.newest.checked_sub(seq)?).ok()?;
        let known = past.messages.len().checked_sub(missed)?;
        Some(past.frames(known..past.messages.len()))
    }

    /// The last `limit` messages before the one with this number, or the newest; the oldest comes first.
    pub(crate) fn before(&self, seq: Option<u64>, limit: usize) -> Vec<Bytes> {
        let past = &mut *self.past.lock();
        self.forget_old(past);
        let newer = seq.map_or(0, |seq| (past.newest + 1).saturating_sub(seq));
        let newer = usize::try_from(newer).unwrap_or(usize::MAX);
        let end = past.messages.len().saturating_sub(newer);
        past.frames(end.saturating_sub(limit)..end)
    }

    fn forget_old(&self, past: &mut Past) {
        while let Some((at, _)) = past.messages.front()
            && at.elapsed() >= self.limits.age
        {
            self.forget_oldest(past);
        }
        if past.messages.is_empty() {
            // A quiet room keeps no memory.
            past.messages = VecDeque::new();
        }
    }

    fn forget_oldest(&self, past: &mut Past) {
        if let Some((_, frame)) = past.messages.pop_front() {
            self.all_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        }
    }
}

impl Past {
    fn frames(&self, range: std::ops::Range<usize>) -> Vec<Bytes> {
        let messages = self.messages.range(range);
        messages.map(|(_, frame)| frame.clone()).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let bytes: usize = self
            .past
            .get_mut()
            .messages
            .iter()
            .map(|(_, frame)| frame.len())
            .sum();
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Limits = Limits {
        messages: 3,
        age: Duration::from_secs(60),
        bytes: 1000,
    };

    fn say(log: &Log, count: usize) {
        for _ in 0..count {
            log.append(|seq| (seq.to_string().into(), ()));
        }
    }

    fn texts(frames: &[Bytes]) -> Vec<&str> {
        frames
            .iter()
            .map(|frame| str::from_utf8(frame).expect("a number"))
            .collect()
    }

    #[tokio::test]
    async fn messages_are_numbered_from_one_also_when_none_is_kept() {
        let none = Limits {
            messages: 0,
            ..ROOMY
        };
        let history = History::new(none);
        let log = history.log(&"tea".into());
        assert_eq!(log.newest(), 0);
        say(&log, 1);
        assert_eq!(log.append(|seq| (Bytes::new(), seq)), (2, 2));
        assert_eq!((log.newest(), history.bytes()), (2, 0));
        assert_eq!(log.after(2), Some(Vec::new()));
        assert_eq!(log.after(1), None);
    }

    #[tokio::test]
    async fn what_was_missed_is_there_or_it_is_said_that_it_is_not() {
        let history = History::new(ROOMY);
        let log = history.log(&"tea".into());
        say(&log, 5);
        assert_eq!(texts(&log.after(2).expect("it is kept")), ["3", "4", "5"]);
        assert_eq!(texts(&log.after(4).expect("it is kept")), ["5"]);
        assert_eq!(log.after(5), Some(Vec::new()));
        assert_eq!(log.after(1), None, "the second was forgotten");
        assert_eq!(log.after(6), None, "of another life");
    }

    #[tokio::test]
    async fn pages_go_backwards() {
        let history = History::new(ROOMY);
        let log = history.log(&"tea".into());
        say(&log, 5);
        assert_eq!(texts(&log.before(None, 2)), ["4", "5"]);
        assert_eq!(texts(&log.before(Some(5), 9)), ["3", "4"]);
        assert_eq!(texts(&log.before(Some(100), 1)), ["5"]);
        assert!(log.before(Some(3), 9).is_empty());
        assert!(log.before(Some(0), 9).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten_and_its_number_a_day_later() {
        let history = History::new(ROOMY);
        say(&history.log(&"tea".into()), 1);
        tokio::time::advance(ROOMY.age / 2).await;
        say(&history.log(&"tea".into()), 1);
        tokio::time::advance(ROOMY.age / 2).await;
        let log = history.log(&"tea".into());
        assert_eq!(texts(&log.before(None, 9)), ["2"]);
        drop(log);
        tokio::time::advance(ROOMY.age).await;
        history.expire();
        assert_eq!(
            (history.bytes(), history.log(&"tea".into()).newest()),
            (0, 2)
        );
        tokio::time::advance(REMEMBER).await;
        history.expire();
        assert_eq!(history.log(&"tea".into()).newest(), 0);
    }

    #[tokio::test]
    async fn all_rooms_together_stay_within_the_bytes() {
        let history = History::new(Limits {
            messages: 100,
            bytes: 10,
            ..ROOMY
        });
        let (tea, milk) = (history.log(&"tea".into()), history.log(&"milk".into()));
        say(&tea, 6);
        say(&milk, 6);
        assert_eq!((history.bytes(), history.messages()), (10, 10));
        assert_eq!(texts(&milk.before(None, 9)), ["3", "4", "5", "6"]);
        // A message larger than the rest of the space is not kept at all.
        milk.append(|_| (Bytes::from_static(&[b'x'; 20]), ()));
        assert_eq!((history.bytes(), milk.newest()), (6, 7));
        drop((tea, milk));
        drop(history.logs.lock().drain());
        assert_eq!(history.bytes(), 0);
    }
}
