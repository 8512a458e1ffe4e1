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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// let (first, second) = std::sync::mpsc::channel();
    /// strand.submit(move || first.send(1).unwrap())?;
    /// strand.submit(move || assert_eq!(second.try_recv(), Ok(1)))?; // it was sent before
    /// # pool.shutdown()?;
    /// # assert_eq!(pool.stats().panicked, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// As [`Pool::try_submit`](crate::Pool::try_submit).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, strand) = (pool.slot()?, pool.strand());
    /// // The strand has nothing to do, but its tasks need slots too.
    /// assert!(strand.try_submit(|| println!("no room")).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// As [`Pool::submit_timeout`](crate::Pool::submit_timeout).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, strand) = (pool.slot()?, pool.strand());
    /// let refused = strand.submit_timeout(|| println!("no room"), Duration::from_millis(1));
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

    /// As [`Pool::submit_deadline`](crate::Pool::submit_deadline).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// // For the wait for a slot: once in line, a task stays until its turn.
    /// strand.submit_deadline(|| println!("a turn"), Instant::now() + Duration::from_secs(1))?;
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

    /// As [`Pool::submit_async`](crate::Pool::submit_async). Its place in the strand is that of its acceptance.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// pool.spawn_with_handle(async move {
    ///     strand.submit_async(|| println!("first")).await.expect("the pool is open");
    ///     strand.submit_async(|| println!("second")).await.expect("the pool is open");
    /// })?.join()?;
    /// # pool.shutdown()?;
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// let page = pool.submit_with_handle(|| "read from a disk")?;
    /// strand.spawn(async { println!("{}", page.await.unwrap()) })?; // waits without a thread
    /// strand.submit(|| println!("after the future"))?;
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

    /// As [`Pool::try_spawn`](crate::Pool::try_spawn).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, strand) = (pool.slot()?, pool.strand());
    /// let refused = strand.try_spawn(async { println!("no room") });
    /// assert!(matches!(refused, Err(anthill::SubmitError::Full(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// As [`Pool::spawn_timeout`](crate::Pool::spawn_timeout).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, strand) = (pool.slot()?, pool.strand());
    /// assert!(strand.spawn_timeout(async {}, Duration::from_millis(1)).is_err());
    /// assert_eq!(strand.queued(), 0); // it had no place in the strand while it waited
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// As [`Pool::spawn_deadline`](crate::Pool::spawn_deadline).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Instant;
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// let now = Instant::now(); // too late to wait, but there is room
    /// strand.spawn_deadline(async { println!("a turn") }, now)?;
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

    /// As [`Pool::spawn_async`](crate::Pool::spawn_async). Its place in the strand is that of its acceptance.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let strand = pool.strand();
    /// pool.spawn_with_handle(async move {
    ///     strand.spawn_async(async { println!("first") }).await.expect("the pool is open");
    ///     strand.submit_async(|| println!("second")).await.expect("the pool is open");
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
        admit(entered, future, |(), future| self.push_future(future))
    }

    /// As [`Pool::spawn_with_handle`](crate::Pool::spawn_with_handle).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let account = pool.strand();
    /// account.spawn(async { println!("deposit") })?;
    /// let balance = account.spawn_with_handle(async { 100 })?;
    /// assert_eq!(balance.join()?, 100); // the deposit is done
    /// # Ok(())
    /// # }
    /// ```
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
