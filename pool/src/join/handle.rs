//! Tasks with a result, and the handle to one.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::engine::Gate;
use crate::errors::JoinError;
use crate::join::packet::Joint;
use crate::join::watch::Watch;

/// A handle to the result of a task: a value that a future awaits and a thread waits for. Dropping
/// the handle lets the task go on.
///
/// A panic of the task goes to the handle, or to the pool's panic handler if the handle was dropped
/// before.
///
/// # Waiting inside a task
///
/// In a future, `.await` the handle. A closure may block on a task of its own pool. If that task is
/// a closure of the same entrance that has not begun, the waiting worker runs it in place. So
/// closures that split their work and wait for the parts never wait for a free worker.
///
/// In every other case the wait blocks the worker: for a future, for a task of a strand, for a task
/// of another entrance (a subpool, or its pool), and with a timeout. If all workers block like
/// this, they deadlock. A task of a strand that waits for a later task of that strand waits for
/// ever, also if it awaits.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let lengths: Vec<_> = ["ant", "hill"]
///     .map(|word| pool.submit_with_handle(move || word.len()))
///     .into_iter()
///     .collect::<Result<_, _>>()?;
/// let total = lengths.into_iter().map(|length| length.wait()).sum::<Result<usize, _>>()?;
/// assert_eq!(total, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a handle that is dropped lets its task go on and its result be lost"]
pub struct JoinHandle<T> {
    watch: Watch<T>,
    cancels_on_drop: bool,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(gate: &Gate, packet: std::sync::Arc<dyn Joint<T>>) -> Self {
        Self {
            watch: Watch::new(packet, gate.clone(), true),
            cancels_on_drop: false,
        }
    }

    /// Marks the task as part of an order, so that it never runs in place of a task that waits for
    /// it.
    pub(crate) fn in_order(mut self) -> Self {
        self.watch.stay_in_order();
        self
    }

    /// Returns a watch that waits for the same end or cancels the task. The handle keeps the
    /// result.
    pub(crate) fn watch(&self) -> Watch<T> {
        self.watch.clone()
    }

    /// Blocks the calling thread until the task has ended. In async code, `.await` the handle.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let number = pool.submit_with_handle(|| "seven".parse::<u32>())?;
    /// let parsed = number.wait()?; // an error if the task panicked
    /// assert!(parsed.is_err()); // what it returned
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`JoinError::Panicked`] if the task panicked, [`JoinError::Cancelled`] if it was cancelled,
    /// [`JoinError::Expired`] if it [expired](crate::Slot::expires_at).
    ///
    /// # Panics
    ///
    /// If the handle was polled to completion before. With the feature `tokio`, also if the task
    /// has not ended and the calling thread drives async tasks of tokio.
    pub fn wait(mut self) -> Result<T, JoinError> {
        self.watch.wait();
        self.watch.packet.take()
    }

    /// Blocks the calling thread until the task has ended, for at most `timeout`. Never runs the
    /// task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let (sender, answers) = std::sync::mpsc::channel();
    /// let task = pool.submit_with_handle(move || answers.recv())?;
    /// let task = task.wait_timeout(Duration::from_millis(1)).expect_err("it waits for an answer");
    /// sender.send(42)?;
    /// assert_eq!(task.wait()??, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, JoinError>, Self> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Blocks the calling thread until the task has ended, at the latest until `deadline`. Never
    /// runs the task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let (first, second) = (pool.submit_with_handle(|| 6)?, pool.submit_with_handle(|| 7)?);
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// let first = first.wait_deadline(deadline).expect("in time")?;
    /// assert_eq!(first * second.wait_deadline(deadline).expect("in time")?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<T, JoinError>, Self> {
        self.wait_until(Some(deadline))
    }

    fn wait_until(mut self, deadline: Option<Instant>) -> Result<Result<T, JoinError>, Self> {
        if self.watch.wait_until(deadline) {
            Ok(self.watch.packet.take())
        } else {
            Err(self)
        }
    }

    /// Cancels the task if it is not running: a closure that has not begun, or a future between two
    /// polls. Returns whether it cancelled the task. The handle then returns
    /// [`JoinError::Cancelled`]. A closure is dropped and its slot released before this returns. A
    /// future is dropped by the next free worker. A future that waits in a strand is dropped when
    /// its turn comes.
    ///
    /// # Panics
    ///
    /// If the drop of the closure panics.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let search = pool.submit_with_handle(|| 42)?;
    /// if search.cancel() {
    ///     println!("it never runs");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn cancel(&self) -> bool {
        self.watch.cancel()
    }

    /// Runs the closure here, if this is a worker of its pool and it has not begun.
    pub(crate) fn run_here(&self) {
        self.watch.run_here();
    }

    /// Makes the handle cancel its task when it is dropped: a closure that has not begun is
    /// dropped, and a future is dropped when it is next suspended. A closure that runs goes on.
    ///
    /// A server uses it for work whose client may leave: if the client's request is dropped while
    /// the work waits in the queue, the work costs nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().threads(0..=1).build()?;
    /// let (go, wait) = std::sync::mpsc::channel::<()>();
    /// let busy = pool.submit_with_handle(move || wait.recv())?;
    /// let queued = pool.submit_with_handle(|| unreachable!())?.cancel_on_drop();
    /// drop(queued);
    /// drop(go);
    /// # let _ = busy.wait();
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.stats().cancelled, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancels_on_drop = true;
        self
    }

    /// Returns whether the task has ended, so that waiting does not block.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let task = pool.submit_with_handle(|| 42)?;
    /// pool.shutdown().wait()?;
    /// assert!(task.is_finished());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.watch.packet.is_done()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If polled after completion.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.watch.poll(cx).map(|()| self.watch.packet.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if self.cancels_on_drop {
            self.watch.cancel_dropped();
        }
        self.watch.packet.detach();
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.is_finished();
        f.debug_struct("JoinHandle")
            .field("finished", &finished)
            .finish_non_exhaustive()
    }
}
