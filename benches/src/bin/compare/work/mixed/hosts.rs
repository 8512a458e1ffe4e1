//! Who runs futures and closures side by side, each as its own documentation says to.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anthill::Pool;
use async_executor::Executor;
use clap::ValueEnum;
use rayon::ThreadPool;
use tokio::runtime::{self, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::Case;
use super::CLOSURES;
use crate::meter::Figures;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// One pool for both.
    Anthill,
    /// tokio for futures, rayon for closures, with as many threads each.
    TokioRayon,
    /// tokio's `spawn_blocking` on as many threads as there are workers, behind tokio's semaphore.
    TokioBlocking,
    /// Closures inline in tokio's tasks.
    TokioInline,
    /// async-executor over async-io's reactor, and the crate `blocking` on as many threads.
    AsyncExecutorBlocking,
    /// One pool for futures and one for closures.
    AnthillTwoPools,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anthill => "anthill",
            Self::TokioRayon => "tokio-rayon",
            Self::TokioBlocking => "tokio-blocking",
            Self::TokioInline => "tokio-inline",
            Self::AsyncExecutorBlocking => "async-executor-blocking",
            Self::AnthillTwoPools => "anthill-two-pools",
        }
    }

    /// The crate whose version counts.
    pub(super) fn crate_name(self) -> &'static str {
        match self {
            Self::Anthill | Self::AnthillTwoPools => "anthill",
            Self::TokioRayon | Self::TokioBlocking | Self::TokioInline => "tokio",
            Self::AsyncExecutorBlocking => "async-executor",
        }
    }

    pub(super) fn play(self) -> fn(&Case) -> io::Result<Figures> {
        match self {
            Self::Anthill => |case| super::play(Self::Anthill, case),
            Self::TokioRayon => |case| super::play(Self::TokioRayon, case),
            Self::TokioBlocking => |case| super::play(Self::TokioBlocking, case),
            Self::TokioInline => |case| super::play(Self::TokioInline, case),
            Self::AsyncExecutorBlocking => |case| super::play(Self::AsyncExecutorBlocking, case),
            Self::AnthillTwoPools => |case| super::play(Self::AnthillTwoPools, case),
        }
    }
}

/// Runs both.
pub(super) trait Host: Clone + Send + Sync + 'static {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Waits on the calling thread while too many closures are in the pool.
    fn submit(&self, closure: impl FnOnce() + Send + 'static);

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// Pools of this project.
#[derive(Clone)]
pub(super) struct Anthill {
    futures: Pool,
    closures: Pool,
}

impl Anthill {
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        let futures = Self::futures(threads)?;
        let closures = futures.subpool().capacity(CLOSURES).build();
        let closures = closures.map_err(io::Error::other)?;
        Ok(Self { futures, closures })
    }

    pub(super) fn two(threads: usize) -> io::Result<Self> {
        let closures = Pool::builder().capacity(CLOSURES).threads(0..=threads);
        Ok(Self {
            futures: Self::futures(threads)?,
            closures: closures.build().map_err(io::Error::other)?,
        })
    }

    fn futures(threads: usize) -> io::Result<Pool> {
        let builder = Pool::builder().threads(0..=threads).tokio();
        builder.build().map_err(io::Error::other)
    }
}

impl Host for Anthill {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.futures.try_spawn(future).expect("there is room");
    }

    fn submit(&self, closure: impl FnOnce() + Send + 'static) {
        self.closures.submit(closure).expect("the pool is open");
    }
}

/// Where tokio's host runs closures.
#[derive(Clone)]
pub(super) enum Closures {
    Rayon(Arc<ThreadPool>),
    Blocking,
    Inline,
}

impl Closures {
    pub(super) fn rayon(threads: usize) -> io::Result<Self> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        Ok(Self::Rayon(Arc::new(
            builder.build().map_err(io::Error::other)?,
        )))
    }
}

/// tokio's multi-thread runtime.
#[derive(Clone)]
pub(super) struct Tokio {
    runtime: Arc<Runtime>,
    permits: Arc<Semaphore>,
    closures: Closures,
}

impl Tokio {
    pub(super) fn new(threads: usize, closures: Closures) -> io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(threads)
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Arc::new(runtime),
            permits: Arc::new(Semaphore::new(CLOSURES)),
            closures,
        })
    }
}

/// A place among the closures, from a thread that may wait.
fn permit(permits: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = futures_lite::future::block_on(Arc::clone(permits).acquire_owned());
    permit.expect("the semaphore is open")
}

impl Host for Tokio {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(future));
    }

    fn submit(&self, closure: impl FnOnce() + Send + 'static) {
        let permit = permit(&self.permits);
        let closure = move || {
            closure();
            drop(permit);
        };
        match &self.closures {
            Closures::Rayon(pool) => pool.spawn(closure),
            Closures::Blocking => drop(self.runtime.spawn_blocking(closure)),
            Closures::Inline => drop(self.runtime.spawn(async move { closure() })),
        }
    }
}

/// async-executor as smol does it: each idle thread waits in async-io's reactor.
#[derive(Clone)]
pub(super) struct Smol {
    executor: Arc<Executor<'static>>,
    permits: Arc<Semaphore>,
}

impl Smol {
    /// The crate `blocking` takes its most threads from `BLOCKING_MAX_THREADS`, which the process was started with.
    pub(super) fn new(threads: usize) -> Self {
        let executor = Arc::new(Executor::new());
        for _ in 0..threads {
            let executor = Arc::clone(&executor);
            thread::spawn(move || async_io::block_on(executor.run(std::future::pending::<()>())));
        }
        Self {
            executor,
            permits: Arc::new(Semaphore::new(CLOSURES)),
        }
    }
}

impl Host for Smol {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(future).detach();
    }

    fn submit(&self, closure: impl FnOnce() + Send + 'static) {
        let permit = permit(&self.permits);
        let task = blocking::unblock(move || {
            closure();
            drop(permit);
        });
        task.detach();
    }

    async fn sleep(time: Duration) {
        async_io::Timer::after(time).await;
    }
}
