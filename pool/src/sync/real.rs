//! The synchronization types outside of models.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::{Arc, atomic};
pub(crate) use std::thread_local;

pub(crate) use parking_lot::{Mutex, MutexGuard};

/// Tasks between two checks beyond a worker's local queues. Local tasks that submit each other
/// would otherwise starve all others.
pub(crate) const OUTSIDE_INTERVAL: u32 = 61;

/// Such checks between two steals from a worker that a long task blocks.
pub(crate) const BLOCKED_INTERVAL: u32 = 4;

/// Futures that a worker polls in a row while a closure waits.
pub(crate) const FUTURES_IN_ROW: u32 = 16;

/// Closures that a strand runs before other tasks of its worker get a turn.
pub(crate) const BUDGET: usize = 64;

/// The fewest closures that a worker ends out of turn before it sweeps its queue.
pub(crate) const SWEEP: usize = 64;

/// The fewest closures that are ended out of turn before the shared queues are swept.
pub(crate) const SWEEP_SHARED: usize = 1024;

/// The fewest calls of `Strands::strand` between two searches for unneeded strands.
pub(crate) const MIN_CALLS: usize = 64;

pub(crate) mod thread {
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

    use parking_lot::Condvar;

    use super::super::AtExit;
    use super::Mutex;

    pub(crate) use std::thread::{Builder, yield_now};

    /// The calling thread's park token.
    #[derive(Debug)]
    pub(crate) struct Token(std::thread::Thread);

    impl Token {
        pub(crate) fn new() -> Self {
            Self(std::thread::current())
        }

        /// Blocks until a signal or the deadline; returns true after the deadline. May return
        /// early.
        pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
            debug_assert_eq!(
                self.0.id(),
                std::thread::current().id(),
                "only its own thread may wait"
            );
            let Some(deadline) = deadline else {
                std::thread::park();
                return false;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::park_timeout(left);
            false
        }

        pub(crate) fn signal(&self) {
            self.0.unpark();
        }
    }

    /// The progress of a thread towards its exit.
    #[derive(Debug)]
    struct Progress {
        step: AtomicU8,
        exits: Arc<Exits>,
    }

    /// The thread works, or runs the destructors of its thread-locals.
    const LIVES: u8 = 0;
    /// The thread is counted as exited, and runs wakers.
    const WAKES: u8 = 1;
    /// Only the operating system's part of the exit is left.
    const EXITED: u8 = 2;

    impl Progress {
        fn is(&self, step: u8) -> bool {
            // Acquire pairs with the Release in the drop of `Exit`.
            self.step.load(Ordering::Acquire) == step
        }
    }

    /// Notified when a thread reaches [`EXITED`].
    #[derive(Debug, Default)]
    struct Exits {
        lock: Mutex<()>,
        changed: Condvar,
    }

    type Handle = (JoinHandle<()>, Arc<Progress>);

    /// Started threads that are not joined yet.
    #[derive(Debug)]
    pub(crate) struct Started {
        handles: Mutex<Vec<Handle>>,
        exits: Arc<Exits>,
    }

    impl Started {
        pub(crate) fn new() -> Self {
            Self {
                handles: Mutex::new(Vec::new()),
                exits: Arc::default(),
            }
        }

        pub(crate) fn start(
            &self,
            builder: Builder,
            life: impl FnOnce() + Send + 'static,
        ) -> io::Result<()> {
            let progress = Arc::new(Progress {
                step: AtomicU8::new(LIVES),
                exits: Arc::clone(&self.exits),
            });
            let of_thread = Arc::clone(&progress);
            // Hold the lock while spawning, or a shutdown could miss a thread that exits at once.
            let mut handles = self.handles.lock();
            let handle = builder.spawn(move || {
                // Touch this thread-local first: destructors run in reverse order, so its own runs
                // last.
                EXIT.with_borrow_mut(|exit| exit.progress = Some(of_thread));
                life();
            })?;
            join_exited(&mut handles);
            handles.push((handle, progress));
            Ok(())
        }

        /// Joins all threads that have exited. Blocks only for the operating system's part of each
        /// exit.
        pub(crate) fn join_exited(&self) {
            // Join under the lock, so that a concurrent caller also returns after the join. An
            // exited thread takes no lock.
            join_exited(&mut self.handles.lock());
        }

        /// Joins all threads that are counted as exited, including threads that run wakers. Returns
        /// false if the deadline passes first.
        pub(crate) fn join_all(&self, deadline: Option<Instant>) -> bool {
            let runs_wakers = |handle: &Handle| handle.1.is(WAKES).then(|| Arc::clone(&handle.1));
            let late: Vec<_> = self.handles.lock().iter().filter_map(runs_wakers).collect();
            let mut lock = self.exits.lock.lock();
            while late.iter().any(|progress| progress.is(WAKES)) {
                let Some(deadline) = deadline else {
                    self.exits.changed.wait(&mut lock);
                    continue;
                };
                if self
                    .exits
                    .changed
                    .wait_until(&mut lock, deadline)
                    .timed_out()
                {
                    return false;
                }
            }
            drop(lock);
            self.join_exited();
            true
        }
    }

    fn join_exited(handles: &mut Vec<Handle>) {
        let mut next = 0;
        while let Some((_, progress)) = handles.get(next) {
            if progress.is(EXITED) {
                let (handle, _) = handles.swap_remove(next);
                // The worker has caught and reported all panics.
                let _ended = handle.join();
            } else {
                next += 1;
            }
        }
    }

    /// The last destructor to run on a worker's thread.
    #[derive(Default)]
    struct Exit {
        /// Identifies the worker's pool. Owned, so that no later pool has the same address.
        home: Option<Arc<dyn AtExit>>,
        progress: Option<Arc<Progress>>,
        last: Option<Arc<dyn AtExit>>,
    }

    impl Drop for Exit {
        fn drop(&mut self) {
            let progress = self.progress.take();
            if let Some(progress) = &progress {
                // Set this first: `at_exit` counts the thread, and a shutdown then joins all that
                // are at this step.
                progress.step.store(WAKES, Ordering::Release);
            }
            if let Some(last) = self.last.take() {
                last.at_exit();
            }
            // Set this after the wakers have run. Otherwise a waker that reopens the pool joins its
            // own thread.
            if let Some(progress) = progress {
                let lock = progress.exits.lock.lock();
                progress.step.store(EXITED, Ordering::Release);
                progress.exits.changed.notify_all();
                drop(lock);
            }
        }
    }

    std::thread_local! {
        static EXIT: RefCell<Exit> = RefCell::new(Exit::default());
    }

    /// Calls `last` after the destructors of the calling thread's other thread-locals.
    pub(crate) fn at_exit<T: AtExit + 'static>(last: &Arc<T>) {
        EXIT.with_borrow_mut(|exit| exit.last = Some(Arc::<T>::clone(last)));
    }

    /// Records that the calling thread is a worker of the pool that owns `pool`.
    pub(crate) fn set_home<T: AtExit + 'static>(pool: &Arc<T>) {
        EXIT.with_borrow_mut(|exit| exit.home = Some(Arc::<T>::clone(pool)));
    }

    pub(crate) fn is_home<T>(pool: &Arc<T>) -> bool {
        let address = Arc::as_ptr(pool).cast::<()>();
        let is_same = |home: &Arc<dyn AtExit>| Arc::as_ptr(home).cast::<()>() == address;
        EXIT.try_with(|exit| exit.borrow().home.as_ref().is_some_and(is_same))
            .unwrap_or(false)
    }

    /// The time that a strand keeps its worker while it has more closures.
    const SLICE: Duration = Duration::from_micros(200);

    /// The time since the first closure of a strand's turn.
    pub(crate) struct Slice(Instant);

    impl Slice {
        pub(crate) fn begin() -> Self {
            Self(Instant::now())
        }

        pub(crate) fn is_over(&self) -> bool {
            self.0.elapsed() >= SLICE
        }
    }

    std::thread_local! {
        static SEATED: Cell<bool> = const { Cell::new(false) };
    }

    /// Returns whether the calling thread has a seat in any pool. This check is cheap.
    #[inline]
    pub(crate) fn is_seated() -> bool {
        SEATED.get()
    }

    pub(crate) fn set_seated(yes: bool) {
        SEATED.set(yes);
    }

    /// Returns the number of threads that can run at once.
    pub(crate) fn processors() -> usize {
        use std::sync::OnceLock;
        static PROCESSORS: OnceLock<usize> = OnceLock::new();
        *PROCESSORS.get_or_init(num_cpus::get)
    }

    /// Returns whether the awaited thread has another CPU to run on during a spin.
    pub(crate) fn may_spin() -> bool {
        processors() > 1
    }
}
