//! Settings of a subpool.

use crate::engine::Entrance;
use crate::engine::Priority;
use crate::errors::BuildError;
use crate::pool::handle::Pool;

impl Pool {
    /// Returns a builder for a subpool: a second bounded entrance to the workers of this pool.
    ///
    /// A subpool is a `Pool` with slots of its own. Its tasks take no slot of any other pool or
    /// subpool, and a full subpool does not delay submits to another. Its closures can have a
    /// [priority](Priority), and a limit of how many threads they
    /// [occupy](SubpoolBuilder::threads).
    ///
    /// A subpool closes on its own, or together with the pool. It keeps the pool open: the pool
    /// closes by itself when all handles of the pool and of its subpools are dropped. A subpool of
    /// a closed pool is closed from the start.
    ///
    /// A subpool of a subpool is an entrance to the same pool. The capacity, priority and thread
    /// limit of the outer subpool do not apply to it, nor do its close, discard and shutdown.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(10_000).build()?;
    /// let uploads = pool.subpool().capacity(8).build()?;
    /// uploads.submit(|| println!("one of at most eight"))?;
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subpool(&self) -> SubpoolBuilder<'_> {
        let root = &self.gate().scheduler.root;
        SubpoolBuilder {
            pool: self,
            capacity: 1024,
            priority: Priority::Normal,
            threads: None,
            nonblocking: root.nonblocking,
            max_waiting: root.max_waiting,
        }
    }
}

/// Settings of a subpool, from [`Pool::subpool`].
///
/// ```
/// use anthill::{Pool, Priority};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().build()?;
/// let thumbnails = pool
///     .subpool()
///     .capacity(64)
///     .priority(Priority::Low)
///     .threads(2)
///     .nonblocking(true)
///     .build()?;
/// thumbnails.submit(|| println!("one of at most 64"))?;
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
#[derive(Clone, Debug)]
pub struct SubpoolBuilder<'a> {
    pool: &'a Pool,
    capacity: usize,
    priority: Priority,
    threads: Option<usize>,
    nonblocking: bool,
    max_waiting: usize,
}

impl SubpoolBuilder<'_> {
    /// Sets how many tasks may be in the subpool at once, from acceptance to their end. Default:
    /// 1024.
    ///
    /// From 2³¹ − 1 on it is unlimited. [`Pool::set_capacity`] changes the capacity later.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let uploads = pool.subpool().capacity(1).build()?;
    /// let held = uploads.slot().wait()?;
    /// assert!(uploads.try_submit(|| println!("a second")).is_err());
    /// assert!(pool.try_submit(|| println!("the pool has slots of its own")).is_ok());
    /// # drop(held);
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = tasks;
        self
    }

    /// Sets the priority of closures. Default: [`Priority::Normal`], the priority of the pool's own
    /// closures.
    ///
    /// Futures have no priority.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::{Pool, Priority};
    ///
    /// let pool = Pool::builder().build()?;
    /// let requests = pool.subpool().priority(Priority::High).build()?;
    /// let reports = pool.subpool().priority(Priority::Low).build()?;
    /// reports.submit(|| println!("starts last if all threads are busy"))?;
    /// pool.submit(|| println!("starts second"))?;
    /// requests.submit(|| println!("starts first"))?;
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how many of the pool's threads closures of the subpool may occupy at once. Default: no
    /// limit.
    ///
    /// Further closures wait in the subpool, each in its slot, so closures that block cannot occupy
    /// every thread. With a limit of 1, closures run in the order of their acceptance. A closure
    /// that waits for another one needs a second thread. The exceptions are
    /// [`JoinHandle::wait`](crate::JoinHandle::wait) and [`Pool::scope`], which run a closure in
    /// place if it has not begun.
    ///
    /// The limit applies to the closures of all handles, slots, groups and scopes of the subpool. A
    /// [strand](Pool::strand) counts as one closure while it runs closures. Futures are not
    /// limited, because a suspended future occupies no thread. Closures that a future runs in place
    /// are not limited either.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().threads(0..=4).build()?;
    /// let queries = pool.subpool().threads(3).build()?;
    /// let (go, wait) = std::sync::mpsc::channel::<()>();
    /// let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    /// for _ in 0..100 {
    ///     let wait = std::sync::Arc::clone(&wait);
    ///     queries.submit(move || _ = wait.lock().unwrap().recv())?;
    /// }
    /// // Three threads block; the fourth is left to the pool.
    /// assert_eq!(pool.submit_with_handle(|| 6 * 7)?.wait()?, 42);
    /// # drop(go);
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets whether plain calls such as [`Pool::submit`] refuse a task, instead of waiting, when
    /// the subpool is full. Default: the [pool's setting](crate::Builder::nonblocking).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let uploads = pool.subpool().capacity(1).nonblocking(true).build()?;
    /// let held = uploads.slot().wait()?;
    /// let refused = uploads.submit(|| println!("no room"));
    /// assert!(matches!(refused, Err(anthill::SlotError::Full)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn nonblocking(mut self, yes: bool) -> Self {
        self.nonblocking = yes;
        self
    }

    /// Sets how many submitters may wait for a slot of the subpool at once, threads and futures
    /// together. Further submitters get [`Full`](crate::SlotError::Full). Default: the [pool's
    /// setting](crate::Builder::max_waiting).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let uploads = pool.subpool().capacity(1).max_waiting(0).build()?;
    /// let held = uploads.slot().wait()?;
    /// let refused = uploads.submit(|| println!("no room"));
    /// assert!(matches!(refused, Err(anthill::SlotError::Full)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_waiting(mut self, submitters: usize) -> Self {
        self.max_waiting = submitters;
        self
    }

    /// Opens the subpool. If the pool is closed, the subpool is closed from the start. Never
    /// blocks.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let refused = pool.subpool().capacity(0).build();
    /// assert!(matches!(refused, Err(anthill::BuildError::ZeroCapacity)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroCapacity`] for a [`capacity`](Self::capacity) of 0, and
    /// [`BuildError::ZeroThreads`] for 0 [`threads`](Self::threads).
    pub fn build(self) -> Result<Pool, BuildError> {
        if self.capacity == 0 {
            return Err(BuildError::ZeroCapacity);
        }
        if self.threads == Some(0) {
            return Err(BuildError::ZeroThreads);
        }
        let mut entrance = Entrance::new(
            self.capacity,
            self.priority,
            self.nonblocking,
            self.max_waiting,
        );
        if let Some(threads) = self.threads {
            entrance = entrance.with_cap(threads);
        }
        Ok(self.pool.at_subpool(entrance))
    }
}
