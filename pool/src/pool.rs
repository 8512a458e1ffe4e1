//! The handle that users hold.

use std::fmt;
use std::ops::RangeInclusive;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::build_error::BuildError;
use crate::builder::Builder;
use crate::entrance::Entrance;
use crate::gate::Gate;
use crate::sampling::Times;
use crate::scheduler::{Rest, Scheduler};
use crate::settings::check_threads;
use crate::stats::Stats;
use crate::sync::Arc;

/// A bounded worker pool for closures and futures.
///
/// A clone is another handle of the same pool. When the last one is dropped, the pool closes: accepted tasks run to their
/// end, and then the threads exit. Nothing waits for that, so a `main` that returns loses tasks: call
/// [`shutdown`](Self::shutdown), or keep the guard of [`shutdown_on_drop`](Self::shutdown_on_drop).
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
/// `submit` takes closures and `spawn` takes futures; they use the same slots and the same threads. Threads and futures
/// wait in one line, first come, first served. A free slot is used even if the deadline has passed. A submitter gets `Full`
/// at once if [`max_waiting`](Builder::max_waiting) others wait already, but never once it waits itself. A worker of this
/// pool never blocks for a slot: it gets [`WouldDeadlock`](crate::SlotError::WouldDeadlock). To run a refused task on the
/// calling thread: `pool.try_submit(f).unwrap_or_else(|refused| refused.into_task()())`.
///
/// # Order
///
/// Futures that can go on run before closures. Closures submitted by one thread to one entrance start roughly in that
/// order, and with one worker thread in exactly that order. What happened before a task was submitted is seen by the task, and what the
/// task did is seen by whoever finds it ended, for example after `shutdown`.
///
/// # When a thread does not start
///
/// The system may refuse to start a thread. As long as the pool has one, tasks wait for it. If it has none, the thread
/// that brought the task, by a submit or by waking a future, runs it, and what it finds waiting, before that call
/// returns: nothing that was accepted is lost or left lying. It is counted in [`Stats::thread_start_failures`].
///
/// # Fork
///
/// A forked child process has no threads of its parent's pools: what it submits to them waits for ever. Build the pools of
/// the child in the child.
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
///     // Waits whenever 100 are in the pool.
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

/// What all clones share; the drop of the last one closes.
struct Handle {
    gate: Gate,
    /// Keeps the pool open as long as the subpool is there.
    _parent: Option<Pool>,
}

impl Handle {
    fn close(&self, rest: Rest) -> u64 {
        match &self.gate.subpool {
            Some(entrance) => self.gate.scheduler.close_entrance(entrance, rest),
            None => self.gate.scheduler.close(rest),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(Rest::Run);
    }
}

/// Building.
impl Pool {
    /// Settings for a pool, all with a default.
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

    /// Closes, and says which of the pool's lives that ended.
    pub(crate) fn end_life(&self, rest: Rest) -> u64 {
        self.handle.close(rest)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.handle.gate
    }

    /// A handle of a subpool with this entrance.
    pub(crate) fn at_subpool(&self, entrance: Entrance) -> Self {
        let scheduler = self.gate().scheduler.clone();
        let subpool = Some(scheduler.add_subpool(entrance));
        Self::at(Gate { scheduler, subpool }, Some(self.clone()))
    }
}

/// While it runs.
impl Pool {
    /// Changes the capacity. More slots go to those who wait, at once. With fewer, nothing is accepted until enough
    /// tasks have ended; nothing that was accepted is touched. `usize::MAX` is unlimited; 0 lets
    /// nothing in until the next call.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let first = pool.try_slot()?;
    /// pool.set_capacity(2);
    /// let second = pool.try_slot()?;
    /// pool.set_capacity(1); // both stay; the next one gets in when both are back
    /// assert!(pool.try_slot().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_capacity(&self, capacity: usize) {
        self.gate().entrance().slots.tune(capacity);
    }

    /// Changes how many threads there are, for the pool and its subpools together. With more, what waits is begun at
    /// once. With fewer, those that are too many leave when they have ended their task; the tasks that wait are left to
    /// the others. Threads beyond those the pool was built for have no queue of their own, which makes small tasks a
    /// little slower.
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
    /// As for [`Builder::threads`]; nothing is changed then. That a thread does not start is no error here: it is
    /// counted in [`Stats::thread_start_failures`].
    pub fn set_threads(&self, threads: RangeInclusive<usize>) -> Result<(), BuildError> {
        let (min, max) = threads.into_inner();
        check_threads(min, max)?;
        let scheduler = &self.gate().scheduler;
        scheduler.limit_threads(scheduler.settings.fewest(min), max);
        Ok(())
    }

    /// The fewest threads that stay, and the most that there may be.
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

    /// How many tasks may be in the pool at once; `usize::MAX` when unlimited.
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

    /// How many slots are taken now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait()?; // counts without a task
    /// assert_eq!(pool.in_flight(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.gate().entrance().slots.usage().0
    }

    /// What the pool is doing, in numbers. Cheap enough to poll many times a second.
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

    /// How long tasks waited for a worker and ran, if [`Builder::sample_times`] has some of them measured. Subpools are
    /// measured together with their pool.
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

    /// The name of the pool. Its subpools have the same.
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

// A panic of a task leaves nothing half-done here: it is caught before it reaches what is shared.
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
