//! What the pool runs on outside a model.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::{Arc, atomic};
pub(crate) use std::thread_local;

pub(crate) use parking_lot::{Mutex, MutexGuard};

/// After so many tasks a worker looks beyond its own queues, so that tasks which bring each other on one worker without
/// end do not keep others waiting.
pub(crate) const LOOK_OUTSIDE: u32 = 61;

/// After so many looks a worker takes tasks along that wait behind a long one of another worker.
pub(crate) const LOOK_AT_OTHERS: u32 = 4;

/// How many futures a worker polls in a row while a closure waits.
pub(crate) const IN_A_ROW: u32 = 16;

/// How many closures a strand runs at most before other tasks of its worker get their turn.
pub(crate) const BUDGET: usize = 64;

/// After so many tasks that others run in place, at least, a worker removes what is left of them in its queue.
pub(crate) const SWEEP: usize = 64;

pub(crate) mod thread {
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

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

        /// Waits for a signal, at the latest until `deadline`; true when that has passed. May return early.
        pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
            debug_assert_eq!(
                self.0.id(),
                std::thread::current().id(),
                "a token is its thread's own"
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

    /// Started threads that are not joined yet, each with whether it has exited.
    #[derive(Debug)]
    pub(crate) struct Started(Mutex<Vec<(JoinHandle<()>, Arc<AtomicBool>)>>);

    impl Started {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(Vec::new()))
        }

        pub(crate) fn start(
            &self,
            builder: Builder,
            life: impl FnOnce() + Send + 'static,
        ) -> io::Result<()> {
            let exited = Arc::new(AtomicBool::new(false));
            let of_thread = Arc::clone(&exited);
            // Hold the lock while spawning, or a shutdown could miss a thread that exits at once.
            let mut started = self.0.lock();
            let handle = builder.spawn(move || {
                // Touch this thread-local first: destructors run in reverse order, so its own runs last.
                EXIT.with_borrow_mut(|exit| exit.exited = Some(of_thread));
                life();
            })?;
            join_exited(&mut started);
            started.push((handle, exited));
            Ok(())
        }

        /// Joins all threads that have exited. Blocks only for the operating system's part of each exit.
        pub(crate) fn join_exited(&self) {
            // Join under the lock, so that a concurrent caller also returns after the join. An exited
            // thread takes no lock.
            join_exited(&mut self.0.lock());
        }
    }

    fn join_exited(started: &mut Vec<(JoinHandle<()>, Arc<AtomicBool>)>) {
        let mut next = 0;
        while let Some((_, exited)) = started.get(next) {
            // Acquire pairs with the Release in the drop of `Exit`.
            if exited.load(Ordering::Acquire) {
                let (handle, _) = started.swap_remove(next);
                // The worker has caught and reported all panics.
                let _ended = handle.join();
            } else {
                next += 1;
            }
        }
    }

    /// Runs last among the destructors of a worker's thread.
    #[derive(Default)]
    struct Exit {
        /// Identifies the pool of the worker. Owned, so that no later pool has the same address.
        home: Option<Arc<dyn AtExit>>,
        exited: Option<Arc<AtomicBool>>,
        last: Option<Arc<dyn AtExit>>,
    }

    impl Drop for Exit {
        fn drop(&mut self) {
            if let Some(last) = self.last.take() {
                last.at_exit();
            }
            // Set this after the wakers have run. Otherwise a waker that reopens the pool joins its own thread, and a
            // waker that blocks holds up every join.
            if let Some(exited) = &self.exited {
                exited.store(true, Ordering::Release);
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

    /// Notes that the calling thread is a worker of the pool that `pool` belongs to.
    pub(crate) fn set_home<T: AtExit + 'static>(pool: &Arc<T>) {
        EXIT.with_borrow_mut(|exit| exit.home = Some(Arc::<T>::clone(pool)));
    }

    pub(crate) fn is_home<T>(pool: &Arc<T>) -> bool {
        let address = Arc::as_ptr(pool).cast::<()>();
        let is_same = |home: &Arc<dyn AtExit>| Arc::as_ptr(home).cast::<()>() == address;
        EXIT.try_with(|exit| exit.borrow().home.as_ref().is_some_and(is_same))
            .unwrap_or(false)
    }

    /// How long a strand keeps its worker while it has more closures.
    const SLICE: Duration = Duration::from_micros(200);

    /// The time that a strand has had since its first closure.
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

    /// Whether the calling thread has a seat in some pool. To ask costs next to nothing.
    #[inline]
    pub(crate) fn is_seated() -> bool {
        SEATED.get()
    }

    pub(crate) fn set_seated(yes: bool) {
        SEATED.set(yes);
    }

    /// How many threads can run at once.
    pub(crate) fn processors() -> usize {
        use std::sync::OnceLock;
        static PROCESSORS: OnceLock<usize> = OnceLock::new();
        *PROCESSORS.get_or_init(num_cpus::get)
    }

    /// Whether the one that is waited for has a processor to run on meanwhile.
    pub(crate) fn may_spin() -> bool {
        processors() > 1
    }
}
