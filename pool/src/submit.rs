//! The ways in: closures and futures, with and without a result, and slots.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::entrance::{Patience, Refusal};
use crate::error::{SlotError, SubmitError};
use crate::gate::Way;
use crate::join::{self, JoinHandle};
use crate::pool::Pool;
use crate::slot::Slot;

/// Gives a task that got in to `accept`, and one that did not back to its submitter.
#[expect(
    clippy::inline_always,
    reason = "a task handed on by value is copied again"
)]
#[inline(always)]
pub(crate) fn admit<W, T, R>(
    entered: Result<W, Refusal>,
    task: T,
    accept: impl FnOnce(W, T) -> R,
) -> Result<R, SubmitError<T>> {
    match entered {
        Ok(way) => Ok(accept(way, task)),
        Err(refusal) => Err(SubmitError::new(refusal, task)),
    }
}

/// Closures. What each is told that does not get in is in the [table](Pool#submitting).
impl Pool {
    /// Runs a closure, waiting for a slot if none is free (on a nonblocking pool it does not wait).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(2).build()?;
    /// for n in 0..100 {
    ///     pool.submit(move || println!("{n}"))?; // waits whenever two are in the pool
    /// }
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// Runs a closure if a slot is free now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.slot()?;
    /// let refused = pool.try_submit(|| println!("here instead")).unwrap_err();
    /// refused.into_task()();
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// Runs a closure, waiting for a slot for at most `timeout`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.slot()?;
    /// let refused = pool.submit_timeout(|| (), std::time::Duration::from_millis(1));
    /// assert!(matches!(refused, Err(anthill::SubmitError::Timeout(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, after(timeout))
    }

    /// Runs a closure, waiting for a slot until `deadline`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().build()?;
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// pool.submit_deadline(|| println!("one"), deadline)?;
    /// pool.submit_deadline(|| println!("two"), deadline)?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::Until(deadline))
    }

    /// Runs a closure, waiting for a slot without a thread. Dropping the future before it is done gives up the wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(2).build()?;
    /// let inner = pool.clone();
    /// pool.spawn(async move {
    ///     inner.submit_async(|| println!("from within")).await.expect("it is open");
    /// })?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let entered = self.gate().enter_async().await;
        admit(entered, f, |(), f| self.gate().submit(Way::Slot, f))
    }

    fn submit_with<F>(&self, f: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let entered = self.gate().enter_closure(patience);
        admit(entered, f, |way, f| self.gate().submit(way, f))
    }
}

/// Futures. What each is told that does not get in is in the [table](Pool#submitting).
impl Pool {
    /// Runs a future, waiting for a slot if none is free (on a nonblocking pool it does not wait). The future keeps its
    /// slot until it is done, also while it is suspended.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let page = pool.submit_with_handle(|| "read from a disk")?;
    /// pool.spawn(async { println!("{}", page.await.unwrap()) })?; // waits without a thread
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, self.plain())
    }

    /// Runs a future if a slot is free now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let suspended = pool.spawn_with_handle(std::future::pending::<()>())?; // it keeps its slot
    /// assert!(pool.try_spawn(async { println!("no room") }).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// Runs a future, waiting for a slot for at most `timeout`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.slot()?;
    /// let refused = pool.spawn_timeout(async {}, std::time::Duration::from_millis(1));
    /// assert!(matches!(refused, Err(anthill::SubmitError::Timeout(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// Runs a future, waiting for a slot until `deadline`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// // Too late to wait, but there is room.
    /// pool.spawn_deadline(async { println!("in time") }, std::time::Instant::now())?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::Until(deadline))
    }

    /// Runs a future, waiting for a slot without a thread. Dropping the returned future before it is done gives up the
    /// wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let inner = pool.clone();
    /// pool.spawn_with_handle(async move {
    ///     inner.spawn_async(async { println!("a second future") }).await.expect("it is open");
    /// })?.join()?;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entered = self.gate().enter_async().await;
        admit(entered, future, |(), future| self.gate().spawn(future))
    }

    fn spawn_with<F>(&self, future: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entered = self.gate().enter(patience);
        admit(entered, future, |(), future| self.gate().spawn(future))
    }
}

/// Tasks with a result.
impl Pool {
    /// Runs a closure as [`submit`](Self::submit) does, and gives a handle for what it returns. For the other ways of
    /// waiting, reserve a [`Slot`] and use it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let answer = pool.submit_with_handle(|| 6 * 7)?;
    /// assert_eq!(answer.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(&self, f: F) -> Result<JoinHandle<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let entered = self.gate().enter_closure(self.plain());
        admit(entered, f, |way, f| join::submit(self.gate(), way, f))
    }

    /// Runs a future as [`spawn`](Self::spawn) does, and gives a handle for its output. For the other ways of waiting,
    /// reserve a [`Slot`] and use it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let answer = pool.spawn_with_handle(async { 6 * 7 })?;
    /// assert_eq!(answer.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SubmitError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let entered = self.gate().enter(self.plain());
        admit(entered, future, |(), future| {
            join::spawn(self.gate(), future)
        })
    }
}

/// Slots, before there is a task. What each is told that gets none is in the [table](Pool#submitting).
impl Pool {
    /// Reserves a slot, waiting for one if none is free (on a nonblocking pool it does not wait).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot()?; // from here on there is room for one
    /// slot.submit(|| println!("in it"));
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn slot(&self) -> Result<Slot, SlotError> {
        self.slot_with(self.plain())
    }

    /// Reserves a slot if one is free now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.try_slot()?;
    /// assert!(pool.try_slot().is_err());
    /// drop(held); // it goes back
    /// assert!(pool.try_slot().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_slot(&self) -> Result<Slot, SlotError> {
        self.slot_with(Patience::None)
    }

    /// Reserves a slot, waiting for one for at most `timeout`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let held = pool.slot()?;
    /// let refused = pool.slot_timeout(Duration::from_millis(1)).err();
    /// assert_eq!(refused, Some(anthill::SlotError::Timeout(())));
    /// # Ok(())
    /// # }
    /// ```
    pub fn slot_timeout(&self, timeout: Duration) -> Result<Slot, SlotError> {
        self.slot_with(after(timeout))
    }

    /// Reserves a slot, waiting for one until `deadline`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().build()?;
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// let two = (pool.slot_deadline(deadline)?, pool.slot_deadline(deadline)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn slot_deadline(&self, deadline: Instant) -> Result<Slot, SlotError> {
        self.slot_with(Patience::Until(deadline))
    }

    fn slot_with(&self, patience: Patience) -> Result<Slot, SlotError> {
        let entered = self.gate().enter(patience);
        admit(entered, (), |(), ()| Slot::new(self.gate().clone()))
    }

    /// Reserves a slot, waiting for one without a thread. Dropping the future before it is done gives up the wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let inner = pool.clone();
    /// let task = pool.spawn_with_handle(async move { inner.slot_async().await })?;
    /// task.join()??.submit(|| println!("in the slot that the future got"));
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn slot_async(&self) -> Result<Slot, SlotError> {
        let entered = self.gate().enter_async().await;
        admit(entered, (), |(), ()| Slot::new(self.gate().clone()))
    }

    /// What a plain submit does.
    fn plain(&self) -> Patience {
        self.gate().entrance().plain()
    }
}

/// The patience of a call with a timeout; one that is too long for the clock is endless.
pub(crate) fn after(timeout: Duration) -> Patience {
    Instant::now()
        .checked_add(timeout)
        .map_or(Patience::Endless, Patience::Until)
}
