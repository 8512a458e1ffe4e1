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
/// new thread gets the smallest free index. With `threads` at most `n`, indexes stay below `n` plus
/// one for the thread that polls futures while closures occupy all workers, plus the number of
/// threads that are exiting.
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
    /// `Cell` or a `RefCell`.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let value = worker_thread::local(self.id)?.downcast::<T>();
        value.ok().map(|value| f(&value))
    }
}

impl Builder {
    /// Makes each worker have a value of `local`. The worker makes it after
    /// [`on_thread_start`](Self::on_thread_start) and before its first task, and drops it after its
    /// last task, before [`on_thread_stop`](Self::on_thread_stop). The time for it counts as a
    /// closure. A panic is caught and counted as in `on_thread_start`.
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
