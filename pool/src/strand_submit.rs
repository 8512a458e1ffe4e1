//! The ways into a strand.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::entrance::Patience;
use crate::error::SubmitError;
use crate::join::{self, JoinHandle};
use crate::strand::Strand;
use crate::submit::{admit, after};

/// Closures. The ways in are named as those of [`Pool`](crate::Pool) are, and give the same answers; a task stands behind what the
/// strand was given before. A worker of the pool never waits: a strand's task cannot run in place.
impl Strand {
    /// As [`Pool::submit`](crate::Pool::submit).
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// As [`Pool::try_submit`](crate::Pool::try_submit).
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// As [`Pool::submit_timeout`](crate::Pool::submit_timeout).
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, after(timeout))
    }

    /// As [`Pool::submit_deadline`](crate::Pool::submit_deadline).
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::Until(deadline))
    }

    /// As [`Pool::submit_async`](crate::Pool::submit_async). Its place in the strand is that of its acceptance.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let entered = self.gate().enter_async().await;
        admit(entered, f, |(), f| self.push_closure(f))
    }

    /// As [`Pool::submit_with_handle`](crate::Pool::submit_with_handle).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let account = pool.strand();
    /// account.submit(|| println!("deposit"))?;
    /// let balance = account.submit_with_handle(|| 100)?;
    /// assert_eq!(balance.join()?, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(&self, f: F) -> Result<JoinHandle<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        admit(self.gate().enter(self.plain()), f, |(), f| {
            let (handle, task) = join::closure(self.gate(), f);
            self.push_closure(task);
            handle.in_order()
        })
    }

    fn submit_with<F>(&self, f: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        admit(self.gate().enter(patience), f, |(), f| self.push_closure(f))
    }

    fn plain(&self) -> Patience {
        self.gate().entrance().plain()
    }
}

/// Futures, likewise. The next task begins when the future has ended.
impl Strand {
    /// As [`Pool::spawn`](crate::Pool::spawn).
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, self.plain())
    }

    /// As [`Pool::try_spawn`](crate::Pool::try_spawn).
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// As [`Pool::spawn_timeout`](crate::Pool::spawn_timeout).
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// As [`Pool::spawn_deadline`](crate::Pool::spawn_deadline).
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::Until(deadline))
    }

    /// As [`Pool::spawn_async`](crate::Pool::spawn_async). Its place in the strand is that of its acceptance.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entered = self.gate().enter_async().await;
        admit(entered, future, |(), future| self.push_future(future))
    }

    /// As [`Pool::spawn_with_handle`](crate::Pool::spawn_with_handle).
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SubmitError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        admit(self.gate().enter(self.plain()), future, |(), future| {
            let (handle, task) = join::future(self.gate(), future);
            self.push_future(task);
            handle.in_order()
        })
    }

    fn spawn_with<F>(&self, future: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        admit(self.gate().enter(patience), future, |(), future| {
            self.push_future(future);
        })
    }
}
