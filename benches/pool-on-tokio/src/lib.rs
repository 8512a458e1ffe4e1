//! As much of `anthill`'s interface as the chat server uses, on tokio's multi-thread scheduler: a semaphore for the
//! slots, a task for each of the rest. There to measure the same server without our pool; it is no pool to use.

mod strand;
pub mod tuner;

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use thiserror::Error;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::time::timeout_at;

pub use strand::{Strand, StrandSlot};

/// A number of slots on a runtime that it may share with others.
#[derive(Clone)]
pub struct Pool {
    runtime: Arc<Shared>,
    slots: Arc<Semaphore>,
    capacity: Arc<AtomicUsize>,
}

/// Ends with the last pool, without waiting for tasks: it may end within one.
struct Shared(Option<Runtime>);

impl Shared {
    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("there until the end").handle()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

/// What a pool is built of.
pub struct Builder {
    capacity: usize,
    threads: Option<usize>,
}

impl Builder {
    /// A name for the threads; tokio's have their own.
    #[must_use]
    pub fn name(self, _: &str) -> Self {
        self
    }

    /// How many slots.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// How many threads; of the two, tokio takes the most.
    #[must_use]
    pub fn threads(self, threads: RangeInclusive<usize>) -> Self {
        let threads = Some(*threads.end());
        Self { threads, ..self }
    }

    /// Tokio's sockets and timers work in tasks: of course.
    #[must_use]
    pub fn tokio(self) -> Self {
        self
    }

    /// Who is told of panics: tokio tells them by itself.
    #[must_use]
    pub fn panic_handler(self, _: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self
    }

    /// Starts the threads.
    pub fn build(self) -> Result<Pool, BuildError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = self.threads {
            runtime.worker_threads(threads);
        }
        let runtime = runtime.enable_all().build()?;
        Ok(Pool::with(Arc::new(Shared(Some(runtime))), self.capacity))
    }
}

/// A subpool to be.
#[must_use]
pub struct SubpoolBuilder<'a> {
    pool: &'a Pool,
    capacity: usize,
}

/// What runs first, where that is known.
#[derive(Clone, Copy, Debug)]
pub enum Priority {
    /// What the chat server asks for.
    Low,
}

impl SubpoolBuilder<'_> {
    /// How many tasks may be in it at once.
    pub fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = tasks;
        self
    }

    /// tokio has no priorities: nothing changes.
    pub fn priority(self, _priority: Priority) -> Self {
        self
    }

    /// tokio runs tasks on all of its threads: nothing changes.
    pub fn threads(self, _threads: usize) -> Self {
        self
    }

    /// Slots of their own on the pool's threads.
    pub fn build(self) -> Result<Pool, BuildError> {
        Ok(Pool::with(self.pool.runtime.clone(), self.capacity))
    }
}

impl Pool {
    /// A pool to be.
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

    /// The workers of the runtime.
    #[must_use]
    pub fn threads(&self) -> RangeInclusive<usize> {
        let workers = self.runtime.handle().metrics().num_workers();
        workers..=workers
    }

    /// Slots of their own on the same threads.
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
        Slot { permit, runtime }
    }

    /// Runs the future if a slot is free, and returns a handle for its value.
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SlotError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let slot = self.try_slot()?;
        let (tell, told) = mpsc::sync_channel(1);
        slot.spawn(async move {
            // Nobody may wait.
            let _ = tell.send(future.await);
        });
        Ok(JoinHandle(told))
    }

    /// Runs the future if a slot is free.
    pub fn spawn<F>(&self, future: F) -> Result<(), SlotError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.try_slot()?.spawn(future);
        Ok(())
    }

    /// Runs a closure, if there is a slot.
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

    /// A line of closures that run one at a time.
    #[must_use]
    pub fn strand(&self) -> Strand {
        Strand::new(self.runtime.handle().clone(), self.slots.clone())
    }

    /// As far as tokio tells.
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

/// A shutdown; it begins with the wait.
#[must_use]
pub struct Shutdown<'a>(&'a Pool);

impl Shutdown<'_> {
    /// Waits for the tasks that are there, at the latest until `deadline`, and closes the pool.
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
}

impl Slot<'_> {
    /// A slot that does not borrow the pool.
    #[must_use]
    pub fn into_owned(self) -> Slot<'static> {
        let runtime = Cow::Owned(self.runtime.into_owned());
        Slot { runtime, ..self }
    }

    /// Runs the closure in the slot.
    pub fn submit(self, task: impl FnOnce() + Send + 'static) {
        self.spawn(async { task() });
    }

    /// Runs a future.
    pub fn spawn(self, future: impl Future<Output = ()> + Send + 'static) {
        let Self { permit, runtime } = self;
        runtime.spawn(async move {
            future.await;
            drop(permit);
        });
    }
}

/// What waits for a value.
pub struct JoinHandle<T>(Receiver<T>);

impl<T> JoinHandle<T> {
    /// Blocks until the task ends, and returns its value.
    pub fn wait(self) -> Result<T, JoinError> {
        self.0.recv().map_err(|_| JoinError)
    }
}

/// The task ended without a value.
#[derive(Debug, Error)]
#[error("the task panicked")]
pub struct JoinError;

/// The runtime cannot be built.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct BuildError(#[from] io::Error);

/// Why no slot was reserved.
#[derive(Clone, Copy, Debug, Error)]
pub enum SlotError {
    /// No slot was free.
    #[error("the pool is full")]
    Full,
    /// The pool is closed.
    #[error("the pool is closed")]
    Closed,
}

/// Why a closure has no value.
#[derive(Clone, Copy, Debug, Error)]
pub enum RunError {
    /// It got no slot.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// It panicked.
    #[error("the task panicked")]
    Task,
}

/// The end did not come.
#[derive(Debug)]
pub enum ShutdownError {
    /// In time.
    Timeout(Box<Unfinished>),
    /// A worker cannot wait for itself; tokio panics instead.
    FromWorker,
    /// The pool was opened again; this one cannot be.
    Reopened,
}

/// What is left.
#[derive(Debug)]
pub struct Unfinished {
    /// The pool as it was then.
    pub stats: Stats,
}

/// Where a pool stands; 0 where tokio does not tell.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "as anthill's")]
pub struct Stats {
    pub capacity: usize,
    pub in_flight: usize,
    pub running: usize,
    pub queued: usize,
    pub waiting: usize,
    pub free: usize,
    pub threads: usize,
    pub idle_threads: usize,
    pub accepted: u64,
    pub completed: u64,
    pub panicked: u64,
    pub cancelled: u64,
    pub rejected_full: u64,
    pub rejected_closed: u64,
    pub rejected_timeout: u64,
    pub threads_started: u64,
    pub threads_expired: u64,
    pub wakeups: u64,
}
