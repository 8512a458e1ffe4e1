//! Pools that run futures, and closures as futures or beside them.

use std::future::{Future, pending};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anthill::{Builder, Pool};
use async_executor::Executor;
use tokio::runtime::{self, Runtime};
use tokio::sync::Semaphore;

use super::{Expiring, Futures, Peer, Timers};

/// This project's pool.
pub(crate) struct Anthill(Pool);

impl Anthill {
    fn builder(threads: usize, capacity: Option<usize>) -> Builder {
        Pool::builder()
            .capacity(capacity.unwrap_or(usize::MAX))
            .threads(0..=threads)
    }
}

impl Peer for Anthill {
    const NAME: &'static str = "anthill";
    const BOUNDS: bool = true;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        let builder = Self::builder(threads, capacity);
        Self(builder.build().expect("valid settings"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.submit(task).expect("the pool is open");
    }
}

impl Futures for Anthill {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future).expect("the pool is open");
    }
}

impl Timers for Anthill {
    fn with_timers(threads: usize, capacity: Option<usize>) -> Self {
        let builder = Self::builder(threads, capacity).tokio();
        Self(builder.build().expect("valid settings"))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

impl Expiring for Anthill {
    fn expiring(threads: usize, expiry: Duration) -> Self {
        let builder = Self::builder(threads, None).idle_expiry(expiry);
        Self(builder.build().expect("valid settings"))
    }
}

/// tokio's `spawn` on the multi-thread runtime.
pub(crate) struct Tokio(Runtime);

impl Tokio {
    fn builder(threads: usize) -> runtime::Builder {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(threads);
        builder
    }
}

impl Peer for Tokio {
    const NAME: &'static str = "tokio";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        let mut builder = Self::builder(threads);
        Self(builder.build().expect("threads can be started"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(async move { task() });
    }
}

impl Futures for Tokio {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }
}

impl Timers for Tokio {
    fn with_timers(threads: usize, _capacity: Option<usize>) -> Self {
        let mut builder = Self::builder(threads);
        Self(
            builder
                .enable_time()
                .build()
                .expect("threads can be started"),
        )
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// tokio's `spawn` behind tokio's own semaphore, which keeps waiting submitters in order.
pub(crate) struct TokioSemaphore {
    tokio: Tokio,
    permits: Arc<Semaphore>,
}

impl Peer for TokioSemaphore {
    const NAME: &'static str = "tokio-semaphore";
    const CRATE: &'static str = "tokio";
    const BOUNDS: bool = true;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        let permits = capacity.unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            tokio: Tokio::new(threads, None),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        let permit = futures_lite::future::block_on(Arc::clone(&self.permits).acquire_owned());
        let permit = permit.expect("the semaphore is not closed");
        self.tokio.submit(move || {
            task();
            drop(permit);
        });
    }
}

/// tokio's `spawn_blocking`.
pub(crate) struct TokioBlocking(Runtime);

impl TokioBlocking {
    fn builder(threads: usize) -> runtime::Builder {
        // Blocking threads work without a thread in the runtime itself.
        let mut builder = runtime::Builder::new_current_thread();
        builder.max_blocking_threads(threads);
        builder
    }
}

impl Peer for TokioBlocking {
    const NAME: &'static str = "tokio-blocking";
    const CRATE: &'static str = "tokio";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        let mut builder = Self::builder(threads);
        Self(builder.build().expect("valid settings"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn_blocking(task);
    }
}

impl Expiring for TokioBlocking {
    fn expiring(threads: usize, expiry: Duration) -> Self {
        let mut builder = Self::builder(threads);
        let builder = builder.thread_keep_alive(expiry);
        Self(builder.build().expect("valid settings"))
    }
}

/// async-executor's `spawn`.
pub(crate) struct AsyncExecutor(Arc<Executor<'static>>);

impl AsyncExecutor {
    fn with(threads: usize, run: impl Fn(&Executor<'_>) + Copy + Send + 'static) -> Self {
        let executor = Arc::new(Executor::new());
        for _ in 0..threads {
            let executor = Arc::clone(&executor);
            thread::spawn(move || run(&executor));
        }
        Self(executor)
    }
}

impl Peer for AsyncExecutor {
    const NAME: &'static str = "async-executor";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        Self::with(threads, |executor| {
            futures_lite::future::block_on(executor.run(pending::<()>()));
        })
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(async move { task() }).detach();
    }
}

impl Futures for AsyncExecutor {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future).detach();
    }
}

/// async-executor behind the semaphore of async-lock, as in smol.
pub(crate) struct AsyncLock {
    executor: AsyncExecutor,
    permits: Arc<async_lock::Semaphore>,
}

impl Peer for AsyncLock {
    const NAME: &'static str = "async-lock";
    const BOUNDS: bool = true;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        let permits = async_lock::Semaphore::new(capacity.unwrap_or(usize::MAX));
        Self {
            executor: AsyncExecutor::new(threads, None),
            permits: Arc::new(permits),
        }
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        let permit = self.permits.acquire_arc_blocking();
        self.executor.submit(move || {
            task();
            drop(permit);
        });
    }
}

/// As in smol, an idle thread waits in async-io's reactor.
impl Timers for AsyncExecutor {
    fn with_timers(threads: usize, _capacity: Option<usize>) -> Self {
        Self::with(threads, |executor| {
            async_io::block_on(executor.run(pending::<()>()));
        })
    }

    async fn sleep(time: Duration) {
        async_io::Timer::after(time).await;
    }
}
