//! A stand-in for crossbeam-deque 0.8.8, whose inside loom cannot see.
//!
//! It orders memory as the real queues do where they promise it, and nowhere more: a mutex around a `VecDeque` would
//! order everything and so hide a fence that is missing in the pool. What is modelled is who sees which task when;
//! the values themselves lie in a plain mutex that loom does not know. Compare with `deque.rs` of the real crate
//! whenever its version changes: `Injector::{push, steal, is_empty}`, `Worker::{push, pop}` of the FIFO flavour,
//! `Stealer::{steal, is_empty}`.

use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::thread::yield_now;

/// No model pushes more often than this into one queue.
const SLOTS: usize = 12;

pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

#[derive(Debug)]
struct Slot<T> {
    written: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T> Slot<T> {
    fn write(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.written.store(true, Ordering::Release);
    }

    fn take(&self) -> T {
        while !self.written.load(Ordering::Acquire) {
            yield_now();
        }
        let value = self
            .value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        value.expect("a slot is taken by the one thread that moved the head over it")
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
            written: AtomicBool::new(false),
            value: Mutex::new(None),
        };
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: (0..SLOTS).map(|_| slots()).collect(),
        }
    }

    fn slot(&self, index: usize) -> &Slot<T> {
        self.slots
            .get(index)
            .expect("a model pushes at most SLOTS times into a queue")
    }

    fn steal(&self, tail: Ordering) -> Steal<T> {
        let head = self.head.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        if head >= self.tail.load(tail) {
            return Steal::Empty;
        }
        let moved = self
            .head
            .compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Relaxed);
        match moved {
            Ok(_) => Steal::Success(self.slot(head).take()),
            Err(_) => Steal::Retry,
        }
    }

    fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        self.tail.load(Ordering::Acquire).saturating_sub(head)
    }
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
        self.0.slot(tail).write(value);
    }

    pub(crate) fn steal_batch_with_limit_and_pop(&self, dest: &Local<T>, limit: usize) -> Steal<T> {
        let first = self.0.steal(Ordering::Relaxed);
        if limit > 1 && matches!(first, Steal::Success(_)) {
            if let Steal::Success(second) = self.0.steal(Ordering::Relaxed) {
                dest.push(second);
            }
        }
        first
    }

    pub(crate) fn steal_batch_with_limit(&self, dest: &Local<T>, _limit: usize) -> Steal<()> {
        match self.0.steal(Ordering::Relaxed) {
            Steal::Success(value) => {
                dest.push(value);
                Steal::Success(())
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal(Ordering::Relaxed)
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
        let tail = self.0.tail.load(Ordering::Relaxed);
        self.0.slot(tail).write(value);
        fence(Ordering::Release);
        self.0.tail.store(tail + 1, Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        let tail = self.0.tail.load(Ordering::Relaxed);
        self.0.head.load(Ordering::Acquire) >= tail
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
        Some(self.0.slot(head).take())
    }
}

#[derive(Debug)]
pub(crate) struct Stealer<T>(Arc<Ring<T>>);

impl<T> Stealer<T> {
    pub(crate) fn steal_batch_and_pop(&self, dest: &Local<T>) -> Steal<T> {
        // Half, as the real one: of two the first, of three the first two.
        let batch = self.len() > 2;
        let first = self.steal();
        if batch && matches!(first, Steal::Success(_)) {
            if let Steal::Success(second) = self.steal() {
                dest.push(second);
            }
        }
        first
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.steal(Ordering::Acquire)
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
