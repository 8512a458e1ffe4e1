//! The hosts that run futures and closures together, each used as its documentation recommends.

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
    /// tokio for futures and rayon for closures, with the same number of threads each.
    TokioRayon,
    /// tokio's `spawn_blocking` with as many threads as workers, behind tokio's semaphore.
    TokioBlocking,
    /// Closures inline in tokio's tasks.
    TokioInline,
    /// async-executor with async-io's reactor, and the crate `blocking` with as many threads.
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

    /// The crate whose version is reported.
    pub(super) fn crate_name(self) -> &'static str {
        match self {
            Self::Anthill | Self::AnthillTwoPools => "anthill",
            Self::TokioRayon | Self::TokioBlocking | Self::TokioInline => "tokio",
            Self::AsyncExecutorBlocking => "async-executor",
        }
    }

    pub(super) fn run(self) -> fn(&Case) -> io::Result<Figures> {
        match self {
            Self::Anthill => |case| super::run(Self::Anthill, case),
            Self::TokioRayon => |case| super::run(Self::TokioRayon, case),
            Self::TokioBlocking => |case| super::run(Self::TokioBlocking, case),
            Self::TokioInline => |case| super::run(Self::TokioInline, case),
            Self::AsyncExecutorBlocking => |case| super::run(Self::AsyncExecutorBlocking, case),
            Self::AnthillTwoPools => |case| super::run(Self::AnthillTwoPools, case),
        }
    }
}

/// Runs futures and closures.
pub(super) trait Host: Clone + Send + Sync + 'static {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Submits a closure. Blocks while too many closures are in the pool.
    fn submit(&self, closure: impl FnOnce() + Send + 'static);

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// The pool of this project, as one pool or two.
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

/// Where the tokio host runs closures.
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

/// Blocks until a permit for a closure is free.
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

/// async-executor as in smol: each idle thread waits in async-io's reactor.
#[derive(Clone)]
pub(super) struct Smol {
    executor: Arc<Executor<'static>>,
    permits: Arc<Semaphore>,
}

impl Smol {
    /// Returns a host. The crate `blocking` reads its thread limit from `BLOCKING_MAX_THREADS`,
    /// which the parent process sets.
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
