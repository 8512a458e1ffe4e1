//! The panic of a task, for the panic handler and for joiners.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::task::unwind;
use crate::task::unwind::Payload;

/// The panic of a task, passed to the pool's [panic handler](crate::Builder::panic_handler), or
/// returned to the caller that joins the task.
///
/// The process's panic hook has already run on the worker's thread. The default hook prints the
/// message and the location. A pool without a handler counts the panic in
/// [`Stats::panicked`](crate::Stats::panicked), and logs an error event if the feature `tracing` is
/// on.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder()
///     .name("mail")
///     .panic_handler(|panic| eprintln!("{}: {:?} ({panic})", panic.pool(), panic.message()))
///     .build()?;
/// # drop(pool);
/// # Ok(())
/// # }
/// ```
pub struct TaskPanic {
    /// Never locked. The mutex makes the type `Sync`, so that errors can contain it.
    payload: Mutex<Payload>,
    message: Option<String>,
    pool: Arc<str>,
    task: Option<Arc<str>>,
}

impl TaskPanic {
    pub(crate) fn new(payload: Payload, pool: Arc<str>) -> Self {
        let (payload, task) = unwind::unmark(payload);
        Self {
            message: unwind::message(&payload).map(str::to_owned),
            payload: Mutex::new(payload),
            pool,
            task,
        }
    }

    /// Returns the name of the pool.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::{JoinError, Pool};
    ///
    /// let pool = Pool::builder().name("mail").build()?;
    /// let sent = pool.submit_with_handle(|| panic!("no address"))?;
    /// let Err(JoinError::Panicked(panic)) = sent.wait() else { unreachable!() };
    /// assert_eq!(panic.pool(), "mail");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// Returns the name of the task, if [`named`](crate::Slot::named) gave it one.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::{JoinError, Pool};
    ///
    /// let pool = Pool::builder().build()?;
    /// let slot = pool.slot().wait()?.named("letter 3");
    /// let sent = slot.submit_with_handle(|| panic!("no address"));
    /// let Err(JoinError::Panicked(panic)) = sent.wait() else { unreachable!() };
    /// assert_eq!(panic.task(), Some("letter 3"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// Returns the message, if `panic!` was called with one.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::{JoinError, Pool};
    ///
    /// let pool = Pool::builder().build()?;
    /// let sent = pool.submit_with_handle(|| panic!("{} stamps left", 0))?;
    /// let Err(JoinError::Panicked(panic)) = sent.wait() else { unreachable!() };
    /// assert_eq!(panic.message(), Some("0 stamps left"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the payload of the panic, to downcast it or to pass it to
    /// [`std::panic::resume_unwind`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::panic::resume_unwind;
    /// use anthill::JoinError;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let sent = pool.submit_with_handle(|| resume_unwind(Box::new(404)))?;
    /// let Err(JoinError::Panicked(panic)) = sent.wait() else { unreachable!() };
    /// assert_eq!(panic.into_payload().downcast_ref(), Some(&404));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TaskPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskPanic")
            .field("pool", &self.pool)
            .field("task", &self.task)
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TaskPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message().unwrap_or("payload is not a string");
        match &self.task {
            Some(task) => write!(f, "task `{task}`")?,
            None => f.write_str("a task")?,
        }
        write!(f, " of pool `{}` panicked: {message}", self.pool)?;
        // tokio's message does not know of the pool.
        if message.starts_with("there is no reactor running") {
            f.write_str("; build the pool with `Builder::tokio` or `Builder::tokio_handle`")?;
        }
        Ok(())
    }
}
