//! The part of `anthill`'s interface that the chat server uses, on tokio's multi-thread scheduler:
//! a semaphore holds the slots, and each task of the pool is a task of tokio.
//!
//! It exists to measure the same server without `anthill`. Do not use it as a pool.

mod errors;
mod join;
mod strand;
pub mod tuner;

use std::borrow::Cow;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

pub use errors::{BuildError, JoinError, RunError, ShutdownError, SlotError, Stats, Unfinished};
pub use join::JoinHandle;
pub use strand::{Strand, StrandSlot};

/// Slots on a runtime, which subpools share.
#[derive(Clone)]
pub struct Pool {
    runtime: Arc<Shared>,
    slots: Arc<Semaphore>,
    capacity: Arc<AtomicUsize>,
}

/// The runtime. It ends with the last pool and does not wait for tasks, because a task may drop that
/// pool.
struct Shared(Option<Runtime>);

impl Shared {
    fn handle(&self) -> &Handle {
        self.0
            .as_ref()
            .expect("only the drop takes the runtime")
            .handle()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

/// Settings for a pool.
pub struct Builder {
    capacity: usize,
    threads: Option<usize>,
}

impl Builder {
    /// Ignored: tokio names its threads.
    #[must_use]
    pub fn name(self, _: &str) -> Self {
        self
    }

    /// Sets the number of slots.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// Sets the number of threads to the upper bound.
    #[must_use]
    pub fn threads(self, threads: RangeInclusive<usize>) -> Self {
        let threads = Some(*threads.end());
        Self { threads, ..self }
    }

    /// Ignored: tokio's sockets and timers work in every task.
    #[must_use]
    pub fn tokio(self) -> Self {
        self
    }

    /// Ignored: tokio reports panics itself.
    #[must_use]
    pub fn panic_handler(self, _: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self
    }

    /// Builds a pool and starts its threads.
    pub fn build(self) -> Result<Pool, BuildError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = self.threads {
            runtime.worker_threads(threads);
        }
        let runtime = runtime.enable_all().build()?;
        Ok(Pool::with(Arc::new(Shared(Some(runtime))), self.capacity))
    }
}

/// Settings for a subpool.
#[must_use]
pub struct SubpoolBuilder<'a> {
    pool: &'a Pool,
    capacity: usize,
}

/// The priority of a subpool.
#[derive(Clone, Copy, Debug)]
pub enum Priority {
    /// The only priority that the chat server sets.
    Low,
}

impl SubpoolBuilder<'_> {
    /// Sets the number of slots.
    pub fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = tasks;
        self
    }

    /// Ignored: tokio has no priorities.
    pub fn priority(self, _priority: Priority) -> Self {
        self
    }

    /// Ignored: tokio runs tasks on all threads.
    pub fn threads(self, _threads: usize) -> Self {
        self
    }

    /// Builds a subpool.
    pub fn build(self) -> Result<Pool, BuildError> {
        Ok(Pool::with(self.pool.runtime.clone(), self.capacity))
    }
}

impl Pool {
    /// Returns the default settings for a pool.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            capacity: 1,
            threads: None,
        }
    }

    fn with(runtime: Arc<Shared>, capacity: usize) -> Self {
        Self {
            runtime,
            slots: Arc::new(Semaphore::new(capacity)),
            capacity: Arc::new(capacity.into()),
        }
    }

    /// Returns the number of workers of the runtime.
    #[must_use]
    pub fn threads(&self) -> RangeInclusive<usize> {
        let workers = self.runtime.handle().metrics().num_workers();
        workers..=workers
    }

    /// Returns the settings for a second pool on the same threads.
    pub fn subpool(&self) -> SubpoolBuilder<'_> {
        SubpoolBuilder {
            pool: self,
            capacity: 1024,
        }
    }

    /// Reserves a slot if one is free.
    pub fn try_slot(&self) -> Result<Slot<'_>, SlotError> {
        match self.slots.clone().try_acquire_owned() {
            Ok(permit) => Ok(self.slot_of(permit)),
            Err(TryAcquireError::NoPermits) => Err(SlotError::Full),
            Err(TryAcquireError::Closed) => Err(SlotError::Closed),
        }
    }

    /// Waits for a slot, in order of arrival.
    pub async fn slot(&self) -> Result<Slot<'_>, SlotError> {
        match self.slots.clone().acquire_owned().await {
            Ok(permit) => Ok(self.slot_of(permit)),
            Err(_) => Err(SlotError::Closed),
        }
    }

    fn slot_of(&self, permit: OwnedSemaphorePermit) -> Slot<'_> {
        let runtime = Cow::Borrowed(self.runtime.handle());
        Slot {
            permit,
            runtime,
            expires_at: None,
        }
    }

    /// Runs the future if a slot is free, and returns a handle for its value.
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SlotError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        Ok(self.try_slot()?.spawn_with_handle(future))
    }

    /// Runs the future if a slot is free.
    pub fn spawn<F>(&self, future: F) -> Result<(), SlotError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.try_slot()?.spawn(future);
        Ok(())
    }

    /// Runs the closure if a slot is free.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) -> Result<(), SlotError> {
        self.try_slot()?.submit(task);
        Ok(())
    }

    /// Waits for a slot, runs a closure in it, and returns its value.
    pub async fn run<F, T>(&self, task: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (sender, value) = oneshot::channel();
        self.slot().await?.submit(move || drop(sender.send(task())));
        value.await.map_err(|_| RunError::Task)
    }

    /// Sets the number of slots. Removes free slots only.
    pub fn set_capacity(&self, capacity: usize) {
        let before = self.capacity.swap(capacity, Ordering::Relaxed);
        if capacity >= before {
            self.slots.add_permits(capacity - before);
        } else {
            let forgotten = self.slots.forget_permits(before - capacity);
            self.capacity.store(before - forgotten, Ordering::Relaxed);
        }
    }

    /// Returns a strand, whose closures run one at a time and in order.
    #[must_use]
    pub fn strand(&self) -> Strand {
        Strand::new(self.runtime.handle().clone(), self.slots.clone())
    }

    /// Returns a snapshot of the figures that tokio has.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let free = self.slots.available_permits();
        let capacity = self.capacity.load(Ordering::Relaxed);
        let metrics = self.runtime.handle().metrics();
        Stats {
            capacity,
            in_flight: capacity.saturating_sub(free),
            free,
            threads: metrics.num_workers(),
            ..Stats::default()
        }
    }

    /// Returns a value that waits for the pool's end.
    pub fn shutdown(&self) -> Shutdown<'_> {
        Shutdown(self)
    }
}

/// Waits for the end of a pool. The pool closes when the wait ends.
#[must_use]
pub struct Shutdown<'a>(&'a Pool);

impl Shutdown<'_> {
    /// Blocks until all slots are free, at the latest until `deadline`, and closes the pool.
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), ShutdownError> {
        let Self(pool) = self;
        let all = u32::try_from(pool.capacity.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let all = pool.slots.acquire_many(all);
        let ended = async { timeout_at(deadline.into(), all).await.is_ok() };
        let ended = pool.runtime.handle().block_on(ended);
        let stats = pool.stats();
        pool.slots.close();
        if ended {
            return Ok(());
        }
        Err(ShutdownError::Timeout(Box::new(Unfinished { stats })))
    }
}

/// A reserved slot.
pub struct Slot<'a> {
    permit: OwnedSemaphorePermit,
    runtime: Cow<'a, Handle>,
    expires_at: Option<Instant>,
}

impl Slot<'_> {
    /// Returns a slot that does not borrow the pool.
    #[must_use]
    pub fn into_owned(self) -> Slot<'static> {
        let runtime = Cow::Owned(self.runtime.into_owned());
        Slot { runtime, ..self }
    }

    /// Drops the task if it has not begun by `deadline`.
    #[must_use]
    pub fn expires_at(self, deadline: Instant) -> Self {
        Self {
            expires_at: Some(deadline),
            ..self
        }
    }

    /// Runs the closure in the slot.
    pub fn submit(self, task: impl FnOnce() + Send + 'static) {
        self.spawn(async { task() });
    }

    /// Runs the closure in the slot, and returns a handle for its value.
    pub fn submit_with_handle<T>(self, task: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T>
    where
        T: Send + 'static,
    {
        self.spawn_with_handle(async { task() })
    }

    /// Runs the future in the slot.
    pub fn spawn(self, future: impl Future<Output = ()> + Send + 'static) {
        self.start(future);
    }

    /// Runs the future in the slot, and returns a handle for its value.
    pub fn spawn_with_handle<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (sender, value) = oneshot::channel();
        let task = self.start(async move {
            // The handle may have been dropped.
            let _ = sender.send(future.await);
        });
        JoinHandle::new(value, task)
    }

    fn start(self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let Self {
            permit,
            runtime,
            expires_at,
        } = self;
        let task = runtime.spawn(async move {
            if expires_at.is_none_or(|deadline| Instant::now() < deadline) {
                future.await;
            }
            drop(permit);
        });
        task.abort_handle()
    }
}
