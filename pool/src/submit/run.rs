//! Runs a closure for its result: the value that a thread or a future waits for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::errors::RunError;
use crate::join::JoinHandle;
use crate::submit::reserve::Reserve;
use crate::submit::slot::Slot;

/// Reserves a slot, runs a closure in it and returns its result. From `run()` of
/// [`Pool`](crate::Pool::run), [`Strand`](crate::Strand::run) and
/// [`MultiPool`](crate::MultiPool::run).
///
/// In async code, `.await` it: a bounded `spawn_blocking`. On a thread, call [`wait`](Self::wait),
/// [`wait_timeout`](Self::wait_timeout) or [`wait_deadline`](Self::wait_deadline). Nothing happens
/// until it is awaited or waited for. If it is dropped, a closure that has not begun never runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(8).build()?;
/// let sum = pool.run(|| (1..=100).sum::<u32>()).await?;
/// assert_eq!(sum, 5050);
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing unless it is awaited or waited for"]
pub struct Run<'a, F, T>(State<'a, F, T>);

enum State<'a, F, T> {
    Reserves {
        reserve: Reserve<'a>,
        f: F,
    },
    /// The handle cancels its task on drop.
    Runs(JoinHandle<T>),
    Done,
}

// The closure is never pinned.
impl<F, T> Unpin for Run<'_, F, T> {}

impl<'a, F, T> Run<'a, F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(reserve: Reserve<'a>, f: F) -> Self {
        Self(State::Reserves { reserve, f })
    }

    /// Blocks the calling thread until the closure has ended. In async code, use `.await`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// assert_eq!(pool.run(|| 6 * 7).wait()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Slot`] with the errors of [`Reserve::wait`], and [`RunError::Task`] if the
    /// closure panicked or was discarded.
    ///
    /// # Panics
    ///
    /// If it was polled before. With the feature `tokio`, also if it has to block and the calling
    /// thread drives async tasks of tokio.
    pub fn wait(mut self) -> Result<T, RunError> {
        let (reserve, f) = self.take_unpolled();
        let task = reserve.wait()?.submit_with_handle(f);
        Ok(task.wait()?)
    }

    /// Blocks the calling thread until the closure has ended, for at most `timeout`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let slow = pool.run(|| std::thread::sleep(Duration::from_millis(50)));
    /// assert!(slow.wait_timeout(Duration::from_millis(1)).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Timeout`], or the errors of [`wait`](Self::wait). A closure that has begun goes
    /// on.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<T, RunError> {
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            return self.wait_deadline(deadline);
        }
        // The timeout is beyond the range of the clock, so it never ends.
        let (reserve, f) = self.take_unpolled();
        let task = reserve.wait_timeout(timeout)?.submit_with_handle(f);
        Ok(task.wait()?)
    }

    /// Blocks the calling thread until the closure has ended, at the latest until `deadline`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// let first = pool.run(|| 6).wait_deadline(deadline)?;
    /// assert_eq!(pool.run(move || first * 7).wait_deadline(deadline)?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Timeout`], or the errors of [`wait`](Self::wait). A closure that has begun goes
    /// on.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_deadline(mut self, deadline: Instant) -> Result<T, RunError> {
        let (reserve, f) = self.take_unpolled();
        let task = reserve.wait_deadline(deadline)?.submit_with_handle(f);
        let ended = task.cancel_on_drop().wait_deadline(deadline);
        Ok(ended.map_err(|_| RunError::Timeout)??)
    }

    fn take_unpolled(&mut self) -> (Reserve<'a>, F) {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Reserves { reserve, f } => (reserve, f),
            State::Runs(_) | State::Done => panic!("a thread cannot wait after a poll"),
        }
    }

    fn begin(&mut self, slot: Slot<'_>) {
        if let State::Reserves { f, .. } = std::mem::replace(&mut self.0, State::Done) {
            self.0 = State::Runs(slot.submit_with_handle(f).cancel_on_drop());
        }
    }
}

impl<F, T> Future for Run<'_, F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T, RunError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Reserves { reserve, .. } = &mut self.0 {
            let slot = ready!(Pin::new(reserve).poll(cx))?;
            self.begin(slot);
        }
        let State::Runs(task) = &mut self.0 else {
            panic!("polled after it was done");
        };
        let result = ready!(Pin::new(task).poll(cx));
        self.0 = State::Done;
        Poll::Ready(Ok(result?))
    }
}

impl<F, T> fmt::Debug for Run<'_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Reserves { .. } => "reserves a slot",
            State::Runs(_) => "runs",
            State::Done => "is done",
        };
        f.debug_tuple("Run").field(&state).finish()
    }
}
