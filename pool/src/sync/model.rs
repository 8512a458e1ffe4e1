//! The same names as in `real`, made of loom's types.

pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::{Arc, atomic};
pub(crate) use loom::thread_local;

pub(crate) use super::model_deque::{Injector, Local, Steal, Stealer};

/// The mutex of `parking_lot`, in the part that is used: no poison.
#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0
            .lock()
            .expect("a thread of a model that panics ends the model")
    }
}

pub(crate) mod thread {
    use std::time::Instant;

    pub(crate) use loom::thread::{Builder, yield_now};

    /// A token of its own: loom's `unpark` also wakes a thread that waits for something else, such as another's end.
    #[derive(Debug)]
    pub(crate) struct Token {
        signalled: loom::sync::Mutex<bool>,
        changed: loom::sync::Condvar,
    }

    impl Token {
        pub(crate) fn new() -> Self {
            Self {
                signalled: loom::sync::Mutex::new(false),
                changed: loom::sync::Condvar::new(),
            }
        }

        /// There is no clock in a model: a deadline passes at once, and since the other threads may run for any length
        /// of time around that, every moment at which it can pass is explored.
        pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
            if deadline.is_some() {
                yield_now();
                return true;
            }
            let mut signalled = self.signalled.lock().expect("see `Mutex::lock`");
            while !std::mem::take(&mut *signalled) {
                signalled = self.changed.wait(signalled).expect("see `Mutex::lock`");
            }
            false
        }

        pub(crate) fn signal(&self) {
            *self.signalled.lock().expect("see `Mutex::lock`") = true;
            self.changed.notify_one();
        }
    }

    /// Looking again before parking adds schedules and no behaviour.
    pub(crate) fn spins() -> u32 {
        0
    }
}
