//! The same names as in `real`, made of the types of an engine that explores schedules.

#[cfg(anthill_loom)]
use loom as engine;
#[cfg(anthill_shuttle)]
use shuttle as engine;

pub(crate) use engine::hint::spin_loop;
pub(crate) use engine::sync::{Arc, MutexGuard, atomic};
pub(crate) use engine::thread_local;

// Few enough to be reached.
pub(crate) const LOOK_OUTSIDE: u32 = 4;
pub(crate) const LOOK_AT_OTHERS: u32 = 1;
pub(crate) const IN_A_ROW: u32 = 2;
pub(crate) const BUDGET: usize = 2;
pub(crate) const SWEEP: usize = 1;
pub(crate) const SWEEP_COMMON: usize = 1;

/// The mutex of `parking_lot`, in the part that is used: no poison.
#[derive(Debug)]
pub(crate) struct Mutex<T>(engine::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(engine::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .expect("a thread of a model that panics ends the model")
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

    // The engines run all threads of a model on one real thread, so this is a model's own.
    std::thread_local! {
        static REFUSED: RefCell<Range<usize>> = const { RefCell::new(0..0) };
    }

    /// From now on, of the threads that pools start, the system of the model refuses those with these numbers; the next
    /// has the number 0.
    pub fn refuse_thread_starts(which: Range<usize>) {
        REFUSED.set(which);
    }

    /// One more start: whether it is refused.
    fn is_refused() -> bool {
        REFUSED.with_borrow_mut(|refused| {
            let now = refused.contains(&0);
            *refused = refused.start.saturating_sub(1)..refused.end.saturating_sub(1);
            now
        })
    }

    /// Starts threads, as far as the model's system lets it.
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

    /// Calls `last` at once, because a model's thread has no destructors after it.
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

    /// A token of its own: loom's `unpark` also wakes a thread that waits for something else, such as another's end.
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

    /// No fewer than there are threads in any model.
    pub(crate) fn processors() -> usize {
        usize::MAX
    }

    /// Looking again before parking adds schedules and no behaviour.
    pub(crate) fn may_spin() -> bool {
        false
    }
}
