//! Errors. Each names what was wrong, and those that refuse a task hand it back.

use std::fmt;

use crate::entrance::Refusal;
use crate::panic::TaskPanic;
use crate::stats::Stats;

/// A task that was not accepted, and why. The task is in the error: see [`into_task`](SubmitError::into_task).
///
/// So the error is `Send` and `Sync` when the task is. Where an error must be both and the task is not `Sync`, leave the
/// task out: `pool.submit(task).map_err(SubmitError::without_task)?`.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// match pool.try_submit(|| println!("done")) {
///     Ok(()) => {}
///     Err(anthill::SubmitError::Full(task)) => task(), // here, which slows the submitter down
///     Err(refused) => eprintln!("{refused}"),
/// }
/// # pool.shutdown().unwrap();
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SubmitError<T> {
    /// No slot is free, and the call does not wait, or as many wait already as may. Try later, wait, or tune the
    /// capacity up.
    Full(T),
    /// The pool is closed, or was closed while the call waited for a slot.
    Closed(T),
    /// No slot came free in time.
    Timeout(T),
    /// No slot is free, and the call came from a worker of this very pool, or of one of its shards: it could have
    /// waited for a slot that only this worker can free. Use a call that does not wait; or, in a future, an async one,
    /// which holds up no thread, though futures that all hold slots and wait for more still wait for each other.
    WouldDeadlock(T),
    /// The [`Group`](crate::Group) that it was for has stopped.
    Stopped(T),
}

impl<T> SubmitError<T> {
    pub(crate) fn new(refusal: Refusal, task: T) -> Self {
        match refusal {
            Refusal::Full => Self::Full(task),
            Refusal::Closed => Self::Closed(task),
            Refusal::Timeout => Self::Timeout(task),
            Refusal::WouldDeadlock => Self::WouldDeadlock(task),
        }
    }

    /// The task that was refused.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// pool.close();
    /// let refused = pool.submit(|| println!("done after all")).unwrap_err();
    /// let task = refused.into_task();
    /// task();
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_task(self) -> T {
        match self {
            Self::Full(task)
            | Self::Closed(task)
            | Self::Timeout(task)
            | Self::WouldDeadlock(task)
            | Self::Stopped(task) => task,
        }
    }

    /// The same refusal without its task, which is dropped. It is `Send`, `Sync` and `'static` whatever the task was.
    ///
    /// ```
    /// use anthill::{Pool, SubmitError};
    ///
    /// fn count(pool: &Pool) -> Result<(), SubmitError<()>> {
    ///     pool.submit(|| println!("one")).map_err(SubmitError::without_task)?;
    ///     pool.submit(|| println!("two")).map_err(SubmitError::without_task)
    /// }
    /// # count(&Pool::builder().build().unwrap()).unwrap();
    /// ```
    pub fn without_task(self) -> SubmitError<()> {
        self.map(drop)
    }

    /// The same refusal with what `f` makes of its task.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> SubmitError<U> {
        match self {
            Self::Full(task) => SubmitError::Full(f(task)),
            Self::Closed(task) => SubmitError::Closed(f(task)),
            Self::Timeout(task) => SubmitError::Timeout(f(task)),
            Self::WouldDeadlock(task) => SubmitError::WouldDeadlock(f(task)),
            Self::Stopped(task) => SubmitError::Stopped(f(task)),
        }
    }
}

impl<T> fmt::Debug for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
            Self::Timeout(_) => "Timeout(..)",
            Self::WouldDeadlock(_) => "WouldDeadlock(..)",
            Self::Stopped(_) => "Stopped(..)",
        })
    }
}

impl<T> fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the pool is full",
            Self::Closed(_) => "the pool is closed",
            Self::Timeout(_) => "no slot of the pool came free in time",
            Self::WouldDeadlock(_) => "a worker must not wait for a slot of its own pool",
            Self::Stopped(_) => "the group has stopped",
        })
    }
}

impl<T> std::error::Error for SubmitError<T> {}

/// No slot could be reserved. It is the same refusal as for a task, without one.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// pool.close();
/// assert_eq!(pool.slot().err(), Some(anthill::SlotError::Closed(())));
/// ```
pub type SlotError = SubmitError<()>;

/// A task that gave no result.
///
/// ```
/// use anthill::JoinError;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let task = pool.submit_with_handle(|| panic!("out of paper"))?;
/// match task.join() {
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
    /// It panicked. The handle has the panic, so the pool's handler was not called.
    Panicked(TaskPanic),
    /// It was cancelled, discarded, or dropped undone.
    Cancelled,
}

impl JoinError {
    /// Goes on with the task's panic in the calling thread, if there was one.
    ///
    /// ```should_panic
    /// # let pool = anthill::Pool::builder().build().unwrap();
    /// let task = pool.submit_with_handle(|| panic!("out of paper")).unwrap();
    /// task.join().unwrap_err().resume(); // panics with `out of paper`
    /// ```
    ///
    /// # Panics
    ///
    /// If the task did.
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
            Self::Cancelled => f.write_str(
                "the task was cancelled, discarded with its pool, or left by all who could wake it",
            ),
        }
    }
}

impl std::error::Error for JoinError {}

/// A pool that has not come to its end.
///
/// ```
/// use std::time::Duration;
/// use anthill::ShutdownError;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let (end, wait) = std::sync::mpsc::channel::<()>();
/// # let (begun, begins) = std::sync::mpsc::channel();
/// pool.submit(anthill::named("backup", move || {
/// #   begun.send(()).unwrap();
///     _ = wait.recv();
/// }))?;
/// # begins.recv()?;
/// match pool.shutdown_timeout(Duration::from_millis(1)) {
///     Err(ShutdownError::Timeout(left)) => println!("still there: {left}"), // 1 task in flight, 1 running: `backup`
///     ended => ended?,
/// }
/// drop(end);
/// # pool.shutdown()?;
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShutdownError {
    /// Tasks were in flight, or a thread had yet to exit, when the time was over. The pool is closed, and they go on.
    Timeout(Box<Unfinished>),
    /// A worker of the pool called, and would have waited for itself. The pool is closed.
    FromWorker,
    /// The pool was opened again during the wait.
    Reopened,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(left) => write!(f, "the pool did not end in time: {left}"),
            Self::FromWorker => f.write_str("a worker cannot wait for the end of its own pool"),
            Self::Reopened => f.write_str("the pool was opened again while its end was awaited"),
        }
    }
}

impl std::error::Error for ShutdownError {}

/// What was left of a pool when the time for its end was over.
///
/// ```
/// # let pool = anthill::Pool::builder().build().unwrap();
/// # let slot = pool.slot().unwrap();
/// let ended = pool.shutdown_timeout(std::time::Duration::ZERO);
/// let Err(anthill::ShutdownError::Timeout(left)) = ended else { unreachable!() };
/// assert_eq!((left.stats.in_flight, left.tasks.len()), (1, 0)); // a slot that is held
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The numbers.
    pub stats: Stats,
    /// The names of those tasks that have begun, the oldest first, as far as [`named`](crate::named) or
    /// [`named_future`](crate::named_future) gave them one. For a subpool they are the whole pool's.
    pub tasks: Vec<String>,
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

/// A pool that cannot be opened again yet.
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
    /// Tasks that are to be discarded are still there: those that run, and futures that are suspended. Wait for their
    /// end with [`Pool::shutdown`](crate::Pool::shutdown).
    Discarding,
    /// It is a subpool, and its pool is closed. Open the pool first.
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

/// Shards of a [`MultiPool`](crate::MultiPool) that have not come to their end. All shards are closed all the same, and
/// their tasks go on.
///
/// ```
/// # let pool = anthill::Pool::builder().build_multi(2, Default::default()).unwrap();
/// if let Err(error) = pool.shutdown() {
///     for (shard, why) in error.failed {
///         eprintln!("{}: {why}", pool.shards()[shard].name());
///     }
/// }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiShutdownError {
    /// Each of these shards, by its place in [`MultiPool::shards`](crate::MultiPool::shards), and why.
    pub failed: Vec<(usize, ShutdownError)>,
}

impl fmt::Display for MultiShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (shard, error)) in self.failed.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}shard {shard}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for MultiShutdownError {}
