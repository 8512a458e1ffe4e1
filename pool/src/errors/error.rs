//! Errors of submitting, joining and shutting down.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::admission::NoSlot;
use crate::figures::Stats;
use crate::task::TaskPanic;

/// Why no slot was reserved.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// pool.close();
/// assert_eq!(pool.try_slot().err(), Some(anthill::SlotError::Closed));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotError {
    /// No slot is free and the call does not wait, or [`max_waiting`](crate::Builder::max_waiting)
    /// submitters wait already. Retry later, wait, or raise the capacity.
    Full,
    /// The pool is closed, or was closed while the call waited.
    Closed,
    /// No slot came free before the deadline.
    Timeout,
    /// A worker of this pool would have blocked until a slot is free, and only this worker may be
    /// able to free one. Use `try_submit` or `try_slot`. A future can await a slot, but holds
    /// its own meanwhile: if all slots are held by such futures, they wait for ever.
    WouldDeadlock,
    /// [`slots`](crate::Pool::slots) asked for more slots than the capacity, or the capacity shrank
    /// below the request while it waited.
    TooMany,
}

impl From<NoSlot> for SlotError {
    fn from(reason: NoSlot) -> Self {
        match reason {
            NoSlot::Full => Self::Full,
            NoSlot::Closed => Self::Closed,
            NoSlot::TooMany => Self::TooMany,
        }
    }
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the pool is full; retry later or wait for a slot",
            Self::Closed => "the pool is closed",
            Self::Timeout => "no slot of the pool came free in time",
            Self::TooMany => "the request exceeds the capacity of the pool; ask for fewer slots",
            Self::WouldDeadlock => {
                "a worker must not block until its own pool has a free slot; await the slot or use `try_submit`"
            }
        })
    }
}

impl std::error::Error for SlotError {}

/// Why `try_submit` or `try_spawn` refused a task, with the task.
///
/// The error is `Send` and `Sync` for every task that is `Send`, so `?` converts it to a boxed
/// error.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// if let Err(refused) = pool.try_submit(|| println!("done")) {
///     let task = refused.into_task();
///     task(); // on this thread, which slows the submitter down
/// }
/// # pool.shutdown().wait().unwrap();
/// ```
pub struct SubmitError<F> {
    reason: SlotError,
    // In a mutex, because that is `Sync` for every `F` that is `Send`. It is never locked.
    task: Mutex<F>,
}

impl<F> SubmitError<F> {
    pub(crate) fn new(reason: SlotError, task: F) -> Self {
        Self {
            reason,
            task: Mutex::new(task),
        }
    }

    /// Returns why the task was refused.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().build().unwrap();
    /// pool.close();
    /// let refused = pool.try_submit(|| ()).unwrap_err();
    /// assert_eq!(refused.reason(), anthill::SlotError::Closed);
    /// ```
    #[must_use]
    pub fn reason(&self) -> SlotError {
        self.reason
    }

    /// Returns the task.
    ///
    /// ```
    /// # let pool = anthill::Pool::builder().build().unwrap();
    /// pool.close();
    /// let refused = pool.try_submit(|| println!("done after all")).unwrap_err();
    /// let task = refused.into_task();
    /// task();
    /// ```
    pub fn into_task(self) -> F {
        let task = self.task.into_inner();
        task.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> From<SubmitError<F>> for SlotError {
    fn from(refused: SubmitError<F>) -> Self {
        refused.reason
    }
}

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> std::error::Error for SubmitError<F> {}

/// Why [`Pool::run`](crate::Pool::run) returned no result.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// pool.close();
/// let refused = pool.run(|| 6 * 7).wait();
/// assert!(matches!(refused, Err(anthill::RunError::Slot(anthill::SlotError::Closed))));
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum RunError {
    /// The closure got no slot and did not run.
    Slot(SlotError),
    /// The closure got a slot, and panicked or was cancelled.
    Task(JoinError),
    /// The deadline passed. A closure that has begun goes on; otherwise it was cancelled.
    Timeout,
}

impl From<SlotError> for RunError {
    fn from(error: SlotError) -> Self {
        match error {
            SlotError::Timeout => Self::Timeout,
            error => Self::Slot(error),
        }
    }
}

impl From<JoinError> for RunError {
    fn from(error: JoinError) -> Self {
        Self::Task(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(error) => error.fmt(f),
            Self::Task(error) => error.fmt(f),
            Self::Timeout => f.write_str("the task did not end in time"),
        }
    }
}

impl std::error::Error for RunError {}

/// Why a task returned no result.
///
/// ```
/// use anthill::JoinError;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let task = pool.submit_with_handle(|| panic!("out of paper"))?;
/// match task.wait() {
///     Ok(()) => println!("printed"),
///     Err(JoinError::Panicked(panic)) => assert_eq!(panic.message(), Some("out of paper")),
///     Err(other) => println!("{other}"),
/// }
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum JoinError {
    /// The task panicked. The handle receives the panic, so the pool's handler is not called.
    Panicked(TaskPanic),
    /// The task was cancelled, discarded, or dropped unfinished.
    Cancelled,
    /// The task [expired](crate::Slot::expires_at) before a worker began it.
    Expired,
}

impl JoinError {
    /// Resumes the task's panic on the calling thread. Does nothing if the task was cancelled.
    ///
    /// ```should_panic
    /// # let pool = anthill::Pool::builder().build().unwrap();
    /// let task = pool.submit_with_handle(|| panic!("out of paper")).unwrap();
    /// task.wait().unwrap_err().resume(); // panics with `out of paper`
    /// ```
    ///
    /// # Panics
    ///
    /// If the task panicked.
    pub fn resume(self) {
        if let Self::Panicked(panic) = self {
            std::panic::resume_unwind(panic.into_payload());
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Cancelled => {
                f.write_str("the task was cancelled, discarded, or can no longer be woken")
            }
            Self::Expired => f.write_str("the task expired before a worker began it"),
        }
    }
}

impl std::error::Error for JoinError {}

/// Why a shutdown returned before the end of its pool.
///
/// ```
/// use std::time::Duration;
/// use anthill::ShutdownError;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let (end, wait) = std::sync::mpsc::channel::<()>();
/// # let (begun, begins) = std::sync::mpsc::channel();
/// pool.slot().wait()?.named("backup").submit(move || {
/// #   begun.send(()).unwrap();
///     _ = wait.recv();
/// });
/// # begins.recv()?;
/// match pool.shutdown().wait_timeout(Duration::from_millis(1)) {
///     Err(ShutdownError::Timeout(left)) => println!("still there: {left}"), // 1 task in flight, 1 running: `backup`
///     ended => ended?,
/// }
/// drop(end);
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShutdownError {
    /// Tasks were in flight, or a thread had yet to exit, when the deadline passed. The pool is
    /// closed, and the tasks go on.
    Timeout(Box<Unfinished>),
    /// A worker of the pool called, and would have waited for itself. The pool is closed.
    FromWorker,
    /// The pool was reopened during the wait.
    Reopened,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(left) => write!(f, "the pool did not end in time: {left}"),
            Self::FromWorker => f.write_str("a worker cannot wait for the end of its own pool"),
            Self::Reopened => f.write_str("the pool was reopened during shutdown"),
        }
    }
}

impl std::error::Error for ShutdownError {}

/// What was left of a pool when its shutdown timed out; of all remaining shards of a
/// [`MultiPool`](crate::MultiPool).
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// # let slot = pool.try_slot().unwrap();
/// let ended = pool.shutdown().wait_timeout(std::time::Duration::ZERO);
/// let Err(anthill::ShutdownError::Timeout(left)) = ended else { unreachable!() };
/// assert_eq!((left.stats.in_flight, left.tasks.len()), (1, 0)); // a held slot
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The pool's statistics at that time.
    pub stats: Stats,
    /// The names of the running tasks that have [one](crate::Slot::named), oldest first. For a
    /// subpool, those of the whole pool.
    pub tasks: Vec<String>,
}

impl Unfinished {
    /// Adds what is left of another pool.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.stats = self.stats.plus(other.stats);
        self.tasks.extend(other.tasks);
        self
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats {
            in_flight, running, ..
        } = self.stats;
        if in_flight == 0 {
            return f.write_str("all tasks have ended, but a thread has yet to exit");
        }
        let s = if in_flight == 1 { "" } else { "s" };
        write!(f, "{in_flight} task{s} in flight, {running} running")?;
        for (place, task) in self.tasks.iter().enumerate() {
            write!(f, "{} `{task}`", if place == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// Why a pool cannot be reopened yet.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// let uploads = pool.subpool().capacity(8).build().unwrap();
/// pool.close();
/// assert_eq!(uploads.reopen(), Err(anthill::ReopenError::PoolClosed));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReopenError {
    /// Tasks that run, or suspended futures, are yet to be discarded. Wait for their end with
    /// [`Pool::shutdown`](crate::Pool::shutdown).
    Discarding,
    /// The pool of this subpool is closed. Reopen the pool first.
    PoolClosed,
}

impl fmt::Display for ReopenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discarding => {
                "tasks of the pool are still being discarded; wait for its shutdown"
            }
            Self::PoolClosed => "the pool of this subpool is closed; open that first",
        })
    }
}

impl std::error::Error for ReopenError {}
