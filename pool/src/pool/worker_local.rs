//! What belongs to one worker: its index, and values of its own.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::{MakeLocal, worker_thread};
use crate::pool::builder::Builder;

/// Returns the index of the calling worker among the threads of its pool, from 0 on. `None` on
/// other threads.
///
/// No two threads of a pool have the same index at the same time, and a thread keeps its index. A
/// new thread gets the smallest free index. So with [`threads`](Builder::threads) up to `n` the
/// indexes are below `n`, with two exceptions. The thread that polls futures while closures occupy
/// all workers is one more, and an exiting thread keeps its index until its end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().threads(0..=1).build()?;
/// assert_eq!(pool.submit_with_handle(anthill::worker_index)?.wait()?, Some(0));
/// assert_eq!(anthill::worker_index(), None);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn worker_index() -> Option<usize> {
    worker_thread::index()
}

/// A value for each worker of a pool: made on the worker when its thread starts, and dropped there
/// when the thread exits. From [`WorkerLocal::new`] and [`Builder::worker_local`].
///
/// The value stays on its thread, so it need not be `Send`. Use it for what is costly to make and
/// cannot be shared: a database connection, a scratch buffer, a model.
///
/// ```
/// use std::cell::RefCell;
///
/// use anthill::{Pool, WorkerLocal};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scratch = WorkerLocal::new(|_worker| RefCell::new(Vec::<u8>::with_capacity(1 << 16)));
/// let pool = Pool::builder().worker_local(&scratch).build()?;
/// let squeezed = pool.submit_with_handle(move || {
///     scratch.with(|buffer| {
///         let mut buffer = buffer.borrow_mut();
///         buffer.clear(); // the memory is reused
///         buffer.extend(b"a  b".iter().filter(|byte| **byte != b' '));
///         buffer.len()
///     })
/// })?;
/// assert_eq!(squeezed.wait()?, Some(2));
/// # Ok(())
/// # }
/// ```
pub struct WorkerLocal<T> {
    id: usize,
    make: MakeLocal,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> WorkerLocal<T> {
    /// Returns a worker-local whose values `make` makes from the [index](worker_index) of the
    /// worker. Pass it to [`Builder::worker_local`].
    ///
    /// ```
    /// use anthill::{Pool, WorkerLocal};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let label = WorkerLocal::new(|worker| format!("worker {worker}"));
    /// let pool = Pool::builder().threads(0..=1).worker_local(&label).build()?;
    /// let task = pool.submit_with_handle(move || label.with(String::clone))?;
    /// assert_eq!(task.wait()?.as_deref(), Some("worker 0"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(make: impl Fn(usize) -> T + Send + Sync + 'static) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            make: Arc::new(move |index| Rc::new(make(index))),
            value: PhantomData,
        }
    }

    /// Calls `f` with the value of the calling worker. Returns `None` if the calling thread is not
    /// a worker of a pool that was built with this, or if making the value panicked.
    ///
    /// The value is shared with a task that this worker runs inside `f`, so change it through a
    /// `Cell` or a `RefCell`. A worker runs another task inside `f` only if `f` waits for that task.
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// use anthill::{Pool, WorkerLocal};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = WorkerLocal::new(|_worker| Cell::new(0));
    /// let pool = Pool::builder().threads(0..=1).worker_local(&tasks).build()?;
    /// let count = |tasks: &Cell<u32>| tasks.replace(tasks.get() + 1) + 1;
    /// for expected in 1..=3 {
    ///     let tasks = tasks.clone();
    ///     let task = pool.submit_with_handle(move || tasks.with(count))?;
    ///     assert_eq!(task.wait()?, Some(expected));
    /// }
    /// assert_eq!(tasks.with(count), None, "this thread is not a worker");
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let value = worker_thread::local(self.id)?.downcast::<T>();
        value.ok().map(|value| f(&value))
    }
}

impl Builder {
    /// Gives each worker a value of `local`. The worker makes it after
    /// [`on_thread_start`](Self::on_thread_start) and before its first task. It drops the value
    /// after its last task, before [`on_thread_stop`](Self::on_thread_stop).
    ///
    /// Making the value may take long: meanwhile other threads are woken or started for waiting
    /// tasks. It counts as a closure within [`threads`](Self::threads). A panic is caught and
    /// counted in [`Stats::handler_panics`](crate::Stats::handler_panics), and the worker has no
    /// value.
    ///
    /// ```
    /// use anthill::{Pool, WorkerLocal};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # fn connect() -> u32 { 7 }
    /// let connection = WorkerLocal::new(|_worker| connect());
    /// let pool = Pool::builder().worker_local(&connection).build()?;
    /// let answer = pool.submit_with_handle(move || connection.with(|connection| *connection))?;
    /// assert_eq!(answer.wait()?, Some(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn worker_local<T: 'static>(mut self, local: &WorkerLocal<T>) -> Self {
        self.hooks.locals.push((local.id, Arc::clone(&local.make)));
        self
    }
}

impl<T> Clone for WorkerLocal<T> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            make: Arc::clone(&self.make),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for WorkerLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLocal").finish_non_exhaustive()
    }
}
