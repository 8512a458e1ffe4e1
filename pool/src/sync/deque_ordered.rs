//! A model of crossbeam-deque 0.8.8 for loom, which cannot see inside the real crate.
//!
//! It orders memory where the real queues promise it, and nowhere else. A mutex around a `VecDeque`
//! would order everything, and so hide a fence that is missing in the pool. It models which thread
//! sees which task when; the values lie in a plain mutex unknown to loom.
//!
//! Compare it with `deque.rs` of the real crate on each version change: `Injector::{push, steal,
//! steal_batch_*, is_empty}`, `Worker::{push, pop}` of the FIFO flavour, `Stealer::{steal,
//! steal_batch_and_pop, is_empty}`.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_deque::Steal;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread::yield_now;

/// More than the tasks that wait in one queue in any model.
const SLOTS: usize = 12;

#[derive(Debug)]
struct Slot<T> {
    /// The index of the last written value, plus one.
    written: AtomicUsize,
    value: Mutex<Option<T>>,
}

impl<T> Slot<T> {
    fn write(&self, index: usize, value: T) {
        let mut place = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            place.replace(value).is_none(),
            "at most SLOTS values wait in a queue"
        );
        self.written.store(index + 1, Ordering::Release);
    }

    fn take(&self, index: usize) -> T {
        while self.written.load(Ordering::Acquire) != index + 1 {
            yield_now();
        }
        let value = self
            .value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        value.expect("only the thread that advanced the head takes the value")
    }
}

#[derive(Debug)]
struct Ring<T> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: Vec<Slot<T>>,
}

impl<T> Ring<T> {
    fn new() -> Self {
        let slots = || Slot {
            written: AtomicUsize::new(0),
            value: Mutex::new(None),
        };
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: (0..SLOTS).map(|_| slots()).collect(),
        }
    }

    fn write(&self, index: usize, value: T) {
        self.slots[index % SLOTS].write(index, value);
    }

    fn take(&self, index: usize) -> T {
        self.slots[index % SLOTS].take(index)
    }

    /// Advances the head by `count` of the queue's length, and returns the indices.
    fn steal(
        &self,
        tail: Ordering,
        count: impl FnOnce(usize) -> usize,
    ) -> Steal<std::ops::Range<usize>> {
        let head = self.head.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        let len = self.tail.load(tail).saturating_sub(head);
        if len == 0 {
            return Steal::Empty;
        }
        let next = head + count(len);
        let moved = self
            .head
            .compare_exchange(head, next, Ordering::AcqRel, Ordering::Relaxed);
        match moved {
            Ok(_) => Steal::Success(head..next),
            Err(_) => Steal::Retry,
        }
    }

    fn steal_one(&self, tail: Ordering) -> Steal<T> {
        match self.steal(tail, |_| 1) {
            Steal::Success(taken) => Steal::Success(self.take(taken.start)),
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    fn steal_batch_and_pop(&self, tail: Ordering, dest: &Local<T>, limit: usize) -> Steal<T> {
        match self.steal(tail, |len| half(len, limit)) {
            Steal::Success(mut taken) => {
                let first = taken.next().map(|index| self.take(index));
                dest.append(taken.map(|index| self.take(index)));
                first.map_or(Steal::Empty, Steal::Success)
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        self.tail.load(Ordering::Acquire).saturating_sub(head)
    }
}

/// Returns the size of a batch: half of `len`, as in the real queues.
fn half(len: usize, limit: usize) -> usize {
    len.div_ceil(2).min(limit)
}

#[derive(Debug)]
pub(crate) struct Injector<T>(Ring<T>);

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(Ring::new())
    }

    pub(crate) fn push(&self, value: T) {
        let mut tail = self.0.tail.load(Ordering::Acquire);
        while let Err(now) =
            self.0
                .tail
                .compare_exchange(tail, tail + 1, Ordering::AcqRel, Ordering::Acquire)
        {
            tail = now;
        }
        self.0.write(tail, value);
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal_one(Ordering::Relaxed)
    }

    pub(crate) fn steal_batch_with_limit(&self, dest: &Local<T>, limit: usize) -> Steal<()> {
        match self.0.steal(Ordering::Relaxed, |len| half(len, limit)) {
            Steal::Success(taken) => {
                dest.append(taken.map(|index| self.0.take(index)));
                Steal::Success(())
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, dest: &Local<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch_and_pop(Ordering::Relaxed, dest, limit)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Debug)]
pub(crate) struct Local<T>(Arc<Ring<T>>);

impl<T> Local<T> {
    pub(crate) fn new_fifo() -> Self {
        Self(Arc::new(Ring::new()))
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    pub(crate) fn push(&self, value: T) {
        self.append(std::iter::once(value));
    }

    /// Appends the values, which become visible at once.
    fn append(&self, values: impl Iterator<Item = T>) {
        let before = self.0.tail.load(Ordering::Relaxed);
        let mut tail = before;
        for value in values {
            self.0.write(tail, value);
            tail += 1;
        }
        if tail > before {
            fence(Ordering::Release);
            self.0.tail.store(tail, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let tail = self.0.tail.load(Ordering::Relaxed);
        tail.saturating_sub(self.0.head.load(Ordering::Acquire))
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let tail = self.0.tail.load(Ordering::Relaxed);
        if self.0.head.load(Ordering::Relaxed) >= tail {
            return None;
        }
        let head = self.0.head.fetch_add(1, Ordering::AcqRel);
        if head >= tail {
            self.0.head.store(head, Ordering::Relaxed);
            return None;
        }
        Some(self.0.take(head))
    }
}

#[derive(Debug)]
pub(crate) struct Stealer<T>(Arc<Ring<T>>);

impl<T> Stealer<T> {
    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal_one(Ordering::Acquire)
    }

    pub(crate) fn steal_batch_and_pop(&self, dest: &Local<T>) -> Steal<T> {
        self.0
            .steal_batch_and_pop(Ordering::Acquire, dest, usize::MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let head = self.0.head.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        head >= self.0.tail.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
