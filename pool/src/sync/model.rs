//! The names of `real`, backed by an engine that explores schedules.

#[cfg(anthill_loom)]
use loom as engine;
#[cfg(anthill_shuttle)]
use shuttle as engine;

pub(crate) use engine::hint::spin_loop;
pub(crate) use engine::sync::{Arc, MutexGuard, atomic};
pub(crate) use engine::thread_local;

// Small enough for models to reach.
pub(crate) const OUTSIDE_INTERVAL: u32 = 4;
pub(crate) const BLOCKED_INTERVAL: u32 = 1;
pub(crate) const FUTURES_IN_ROW: u32 = 2;
pub(crate) const BUDGET: usize = 2;
pub(crate) const SWEEP: usize = 1;
pub(crate) const SWEEP_SHARED: usize = 1;
pub(crate) const MIN_CALLS: usize = 1;

/// The part of `parking_lot::Mutex` that the pool uses: no poisoning.
#[derive(Debug)]
pub(crate) struct Mutex<T>(engine::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(engine::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a panic in a thread ends the model")
    }
}

pub(crate) mod thread {
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::ops::Range;
    use std::time::Instant;

    use super::super::AtExit;
    use super::engine;
    pub(crate) use engine::thread::yield_now;

    // The engines run all threads of a model on one real thread, so each model has its own.
    std::thread_local! {
        static REFUSED: RefCell<Range<usize>> = const { RefCell::new(0..0) };
        static EARLY_WAKES: Cell<usize> = const { Cell::new(0) };
    }

    /// Makes this many of the next parks return early, as those of real threads may.
    pub fn wake_early(count: usize) {
        EARLY_WAKES.set(count);
    }

    /// Counts down and returns whether this park returns early.
    fn is_early() -> bool {
        let left = EARLY_WAKES.get();
        EARLY_WAKES.set(left.saturating_sub(1));
        left > 0
    }

    /// Makes thread starts fail. `which` are the numbers of the failing starts, counted from 0 for
    /// the next.
    pub fn refuse_thread_starts(which: Range<usize>) {
        REFUSED.set(which);
    }

    /// Counts one more start and returns whether it fails.
    fn is_refused() -> bool {
        REFUSED.with_borrow_mut(|refused| {
            let now = refused.contains(&0);
            *refused = refused.start.saturating_sub(1)..refused.end.saturating_sub(1);
            now
        })
    }

    /// A thread builder whose starts can be made to fail.
    pub(crate) struct Builder(engine::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(engine::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn stack_size(self, size: usize) -> Self {
            Self(self.0.stack_size(size))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            f: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<engine::thread::JoinHandle<T>> {
            if is_refused() {
                return Err(io::Error::other("the model refuses this thread"));
            }
            self.0.spawn(f)
        }
    }

    /// Models do not join threads: a thread has exited when its function returns.
    #[derive(Debug)]
    pub(crate) struct Started;

    #[expect(clippy::unused_self, reason = "the signatures are those of `real`")]
    impl Started {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn start(
            &self,
            builder: Builder,
            life: impl FnOnce() + Send + 'static,
        ) -> io::Result<()> {
            builder.spawn(life).map(drop)
        }

        pub(crate) fn join_exited(&self) {}

        pub(crate) fn join_all(&self, _deadline: Option<Instant>) -> bool {
            true
        }
    }

    /// Calls `last` at once, because a model's thread runs no destructors afterwards.
    pub(crate) fn at_exit<T: AtExit>(last: &super::Arc<T>) {
        last.at_exit();
    }

    pub(crate) fn set_home<T>(_pool: &super::Arc<T>) {}

    pub(crate) fn is_home<T>(_pool: &super::Arc<T>) -> bool {
        false
    }

    super::thread_local! {
        #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
        static SEATED: Cell<bool> = Cell::new(false);
    }

    pub(crate) fn is_seated() -> bool {
        SEATED.try_with(Cell::get).unwrap_or(false)
    }

    pub(crate) fn set_seated(yes: bool) {
        let _ = SEATED.try_with(|seated| seated.set(yes));
    }

    /// A condition variable, because loom's `unpark` also wakes a thread from other waits, such as
    /// a join.
    #[derive(Debug)]
    pub(crate) struct Token {
        signalled: engine::sync::Mutex<bool>,
        changed: engine::sync::Condvar,
    }

    impl Token {
        pub(crate) fn new() -> Self {
            Self {
                signalled: engine::sync::Mutex::new(false),
                changed: engine::sync::Condvar::new(),
            }
        }

        /// A model has no clock, so a deadline passes at once. The other threads may run for any
        /// time around that, so all moments at which it can pass are explored.
        pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
            if deadline.is_some() {
                yield_now();
                return true;
            }
            if is_early() {
                yield_now();
                return false;
            }
            let mut signalled = self
                .signalled
                .lock()
                .expect("a panic in a thread ends the model");
            while !std::mem::take(&mut *signalled) {
                signalled = self
                    .changed
                    .wait(signalled)
                    .expect("a panic in a thread ends the model");
            }
            false
        }

        pub(crate) fn signal(&self) {
            *self
                .signalled
                .lock()
                .expect("a panic in a thread ends the model") = true;
            self.changed.notify_one();
        }
    }

    /// A model has no clock: a strand keeps its worker until its budget is spent.
    pub(crate) struct Slice;

    impl Slice {
        pub(crate) fn begin() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the signature is that of `real`")]
        pub(crate) fn is_over(&self) -> bool {
            false
        }
    }

    /// At least the number of threads in any model.
    pub(crate) fn processors() -> usize {
        usize::MAX
    }

    /// Spinning before a park would add schedules and no behaviour.
    pub(crate) fn may_spin() -> bool {
        false
    }
}
