//! The user's handle to a pool.

use std::fmt;
use std::ops::RangeInclusive;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::engine::Entrance;
use crate::engine::Gate;
use crate::engine::check_threads;
use crate::engine::{OnClose, Scheduler};
use crate::errors::BuildError;
use crate::figures::Stats;
use crate::figures::Times;
use crate::pool::builder::Builder;
use crate::sync::Arc;

/// A bounded worker pool for closures and futures.
///
/// A clone is another handle of the same pool. When the last handle is dropped, the pool closes:
/// accepted tasks run to their end, then the threads exit. Nothing waits for that, so a `main` that
/// returns loses tasks. Call [`shutdown`](Self::shutdown), or keep the guard of
/// [`shutdown_on_drop`](Self::shutdown_on_drop).
///
/// # Submitting
///
/// | call | when no slot is free | when the pool is closed |
/// |---|---|---|
/// | [`try_submit`](Self::try_submit), [`try_spawn`](Self::try_spawn) | `Full`, with the task | `Closed`, with the task |
/// | [`try_slot`](Self::try_slot) | `Full` | `Closed` |
/// | [`submit`](Self::submit), [`spawn`](Self::spawn), [`submit_with_handle`](Self::submit_with_handle), [`spawn_with_handle`](Self::spawn_with_handle) | block the thread; `Full` on a [`nonblocking`](Builder::nonblocking) pool | `Closed` |
/// | [`slot`](Self::slot), [`run`](Self::run) with `.wait()` | as above | `Closed` |
/// | the same with `.wait_timeout(d)`, `.wait_deadline(t)` | block the thread, then `Timeout` | `Closed` |
/// | the same with `.await` | wait without a thread | `Closed` |
///
/// `submit` takes closures and `spawn` takes futures. Both use the same slots and threads. Threads
/// and futures wait in one fair line. A free slot is used even if the deadline has passed. A
/// submitter gets `Full` at once if [`max_waiting`](Builder::max_waiting) others wait already, but
/// never after it has joined the line.
///
/// A worker of this pool never blocks for a slot: it gets
/// [`WouldDeadlock`](crate::SlotError::WouldDeadlock). To run a refused task on the calling thread:
/// `pool.try_submit(f).unwrap_or_else(|refused| refused.into_task()())`.
///
/// # Order
///
/// Woken futures run before closures. Closures that one thread submits to one pool or subpool start
/// roughly in that order, and with one worker exactly in that order unless closures are cancelled.
///
/// A task sees everything that happened before it was submitted. A thread or future that sees the
/// task's end, for example after `shutdown`, sees the task's effects.
///
/// # When a thread does not start
///
/// The system may refuse to start a thread. Tasks wait for the threads that the pool has. If it has
/// none, the submit or wake-up that brought the task runs it, and all queued tasks, on its own
/// thread before it returns. So no accepted task is lost. [`Stats::thread_start_failures`] counts
/// these failures.
///
/// # Fork
///
/// A forked child process has none of the threads of its parent's pools, so tasks that it submits
/// to them never run. Build new pools in the child.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(100).build()?;
/// let sum = Arc::new(AtomicU64::new(0));
/// for n in 1..=1000 {
///     let sum = Arc::clone(&sum);
///     // Blocks while 100 tasks are in the pool.
///     pool.submit(move || { sum.fetch_add(n, Ordering::Relaxed); })?;
/// }
/// pool.shutdown().wait()?;
/// assert_eq!(sum.load(Ordering::Relaxed), 500_500);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

/// State shared by all clones. Dropping it closes the pool.
struct Handle {
    gate: Gate,
    /// Keeps the pool open while the subpool has a handle.
    _parent: Option<Pool>,
}

impl Handle {
    fn close(&self, on_close: OnClose) -> u64 {
        match &self.gate.subpool {
            Some(entrance) => self.gate.scheduler.close_entrance(entrance, on_close),
            None => self.gate.scheduler.close(on_close),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(OnClose::Run);
    }
}

/// Building.
impl Pool {
    /// Returns a builder with the default settings.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let builder = anthill::Pool::builder().capacity(100);
    /// let readers = builder.clone().name("readers").build()?;
    /// let writers = builder.name("writers").build()?;
    /// assert_eq!(readers.capacity(), writers.capacity());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self::at(
            Gate {
                scheduler,
                subpool: None,
            },
            None,
        )
    }

    fn at(gate: Gate, parent: Option<Self>) -> Self {
        Self {
            handle: Arc::new(Handle {
                gate,
                _parent: parent,
            }),
        }
    }

    pub(crate) fn start_threads(&self, count: usize) -> std::io::Result<()> {
        self.gate().scheduler.start_threads(count)
    }

    /// Closes the pool. Returns how often it was reopened before.
    pub(crate) fn end_life(&self, on_close: OnClose) -> u64 {
        self.handle.close(on_close)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.handle.gate
    }

    /// Adds a subpool with this entrance and returns its handle.
    pub(crate) fn at_subpool(&self, entrance: Entrance) -> Self {
        let scheduler = self.gate().scheduler.clone();
        let subpool = Some(scheduler.add_subpool(entrance));
        Self::at(Gate { scheduler, subpool }, Some(self.clone()))
    }
}

/// Resizing and statistics.
impl Pool {
    /// Changes the capacity. Waiting submitters get new slots at once. After shrinking, the pool
    /// accepts nothing until enough tasks have ended; accepted tasks are not affected. From 2³¹ − 1
    /// on it is unlimited. With 0 the pool accepts nothing until the next call.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let first = pool.try_slot()?;
    /// pool.set_capacity(2);
    /// let second = pool.try_slot()?;
    /// pool.set_capacity(1); // keeps both; the next slot is free after both are released
    /// assert!(pool.try_slot().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_capacity(&self, capacity: usize) {
        self.gate().entrance().slots.tune(capacity);
    }

    /// Changes the minimum and maximum number of threads, for the pool and its subpools together.
    /// With more threads, waiting tasks begin at once. With fewer, surplus threads exit after their
    /// current task, and the remaining threads run the waiting tasks. Threads beyond the maximum at
    /// build time have no queue of their own, which makes small tasks slightly slower.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().threads(0..=2).build()?;
    /// pool.set_threads(0..=8)?;
    /// assert_eq!(pool.threads(), 0..=8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors that [`Builder::threads`] names; nothing changes then. A thread that fails to
    /// start is no error here: [`Stats::thread_start_failures`] counts it.
    pub fn set_threads(&self, threads: RangeInclusive<usize>) -> Result<(), BuildError> {
        let (min, max) = threads.into_inner();
        check_threads(min, max)?;
        let scheduler = &self.gate().scheduler;
        scheduler.limit_threads(scheduler.settings.fewest(min), max);
        Ok(())
    }

    /// Returns the minimum and maximum number of threads.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().threads(1..=8).build()?;
    /// assert_eq!(*pool.threads().end(), 8);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn threads(&self) -> RangeInclusive<usize> {
        let (min, max) = self.gate().scheduler.idle.limits();
        min..=max
    }

    /// Returns the number of slots, `usize::MAX` if unlimited.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().capacity(100).build()?;
    /// let uploads = pool.subpool().capacity(8).build()?;
    /// assert_eq!((pool.capacity(), uploads.capacity()), (100, 8));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.gate().entrance().slots.capacity()
    }

    /// Returns the number of slots that are taken now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait()?; // counts even without a task
    /// assert_eq!(pool.in_flight(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.gate().entrance().slots.usage().0
    }

    /// Returns the pool's statistics. Cheap enough to call many times a second.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// for n in 0..10 {
    ///     pool.submit(move || assert!(n != 7))?;
    /// }
    /// pool.shutdown().wait()?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.accepted, stats.completed, stats.panicked), (10, 9, 1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.gate().scheduler.stats(self.gate().entrance())
    }

    /// Returns how long tasks waited for a worker and ran, if [`Builder::sample_times`] enables
    /// sampling. Tasks of subpools are measured together with their pool's.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().sample_times(100).build()?; // one of a hundred
    /// for n in 0..1000 {
    ///     pool.submit(move || _ = std::hint::black_box(n))?;
    /// }
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.times().map(|times| times.run.count()), Some(10));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn times(&self) -> Option<Times> {
        let sampler = self.gate().scheduler.settings.sampler.as_ref();
        sampler.map(|sampler| sampler.times())
    }

    /// Returns the name of the pool, which its subpools share.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().name("thumbnails").build()?;
    /// assert_eq!(pool.name(), "thumbnails");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.gate().scheduler.settings.name
    }
}

// A panic of a task is caught before it reaches shared state.
impl UnwindSafe for Pool {}
impl RefUnwindSafe for Pool {}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (in_flight, capacity) = self.gate().entrance().slots.usage();
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("capacity", &capacity)
            .field("in_flight", &in_flight)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
