//! The settings of a pool.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::Entrance;
use crate::engine::Priority;
use crate::engine::Scheduler;
use crate::engine::worker;
use crate::engine::{Around, Capture, Hooks, PanicHandler, Settings, check_threads};
use crate::errors::BuildError;
use crate::figures::Sampler;
use crate::pool::handle::Pool;
use crate::task::TaskPanic;
use crate::wait::{MakeReactor, Reactor, SharedReactor};

/// Settings of a [`Pool`], from [`Pool::builder`].
///
/// Three settings are limits. [`capacity`](Self::capacity) limits the tasks in the pool,
/// [`threads`](Self::threads) the closures that run at once, and [`max_waiting`](Self::max_waiting)
/// the submitters that wait for a slot.
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), anthill::BuildError> {
/// let pool = anthill::Pool::builder()
///     .name("thumbnails")
///     .capacity(500)
///     .threads(0..=4)
///     .idle_expiry(Duration::from_secs(30))
///     .panic_handler(|panic| eprintln!("{panic}"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
#[derive(Clone)]
pub struct Builder {
    name: String,
    capacity: usize,
    min_threads: usize,
    max_threads: usize,
    idle_expiry: Duration,
    nonblocking: bool,
    max_waiting: usize,
    stack_size: Option<usize>,
    panic_handler: Option<PanicHandler>,
    pub(super) hooks: Hooks,
    sample_one_in: Option<u64>,
    reactor: Option<MakeReactor>,
    around: Option<Around>,
    pub(super) context: Option<Capture>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: "anthill".to_owned(),
            capacity: 1024,
            min_threads: 0,
            max_threads: num_cpus::get(),
            idle_expiry: Duration::from_secs(10),
            nonblocking: false,
            max_waiting: usize::MAX,
            stack_size: None,
            panic_handler: None,
            hooks: Hooks::default(),
            sample_one_in: None,
            reactor: None,
            around: None,
            context: None,
        }
    }
}

impl Builder {
    /// Sets the name of the pool and of its threads. Default: `anthill`. Linux shows the first 15
    /// bytes.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().name("thumbnails").build()?;
    /// let thread = pool.submit_with_handle(|| std::thread::current().name().map(str::to_owned))?;
    /// assert_eq!(thread.wait()?.as_deref(), Some("thumbnails"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the number of slots: how many tasks may be in the pool at once, from acceptance to
    /// their end. A suspended future keeps its slot. Default: 1024. Values from 2^31 - 1 upwards,
    /// such as `usize::MAX`, are unlimited. [`Pool::set_capacity`] changes it later.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(2).build()?;
    /// let held = (pool.slot().wait()?, pool.slot().wait()?);
    /// assert!(pool.try_submit(|| println!("a third")).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn capacity(mut self, tasks: usize) -> Self {
        self.capacity = tasks;
        self
    }

    /// Sets how many workers stay when idle (the start of the range) and how many may run closures
    /// at once (its end). For closures that block, use as many as may block at once. With a
    /// [reactor](Self::reactor) at least one worker stays.
    ///
    /// [`build`](Self::build) returns [`NoThreads`](BuildError::NoThreads) if the range ends at 0
    /// or is empty, and [`TooManyThreads`](BuildError::TooManyThreads) if it ends above 65,534.
    ///
    /// Default: from 0 to the number of CPUs that the process may use. That respects its affinity
    /// and, on Linux, the CPU quota of its cgroup, rounded up.
    ///
    /// One more thread is started while all workers run closures and a future is woken or events
    /// are awaited. It polls futures, runs no closure meanwhile, and expires like any other worker.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// // Two threads start now; up to sixteen closures may block at once.
    /// let pool = anthill::Pool::builder().threads(2..=16).build()?;
    /// assert_eq!(pool.stats().threads, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn threads(mut self, threads: RangeInclusive<usize>) -> Self {
        (self.min_threads, self.max_threads) = threads.into_inner();
        self
    }

    /// Sets how long a thread stays idle before it exits. Default: 10 seconds. `Duration::MAX`
    /// keeps idle threads for ever.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// use std::time::Duration;
    ///
    /// // Bursts come every few seconds, and each reuses the threads of the last.
    /// let pool = anthill::Pool::builder().idle_expiry(Duration::from_secs(60)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle_expiry(mut self, after: Duration) -> Self {
        self.idle_expiry = after;
        self
    }

    /// Sets whether calls that block for a slot without a time limit return `Full` instead:
    /// [`Pool::submit`], [`Pool::spawn`], their variants with a handle, `Scope::submit`, and
    /// `.wait()` of [`Pool::slot`], [`Pool::slots`] and [`Pool::run`]. Waits with a timeout or
    /// deadline, and awaits, still wait. Default: false.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).nonblocking(true).build()?;
    /// let held = pool.slot().wait()?;
    /// let refused = pool.submit(|| println!("no room"));
    /// assert!(matches!(refused, Err(anthill::SlotError::Full)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn nonblocking(mut self, yes: bool) -> Self {
        self.nonblocking = yes;
        self
    }

    /// Sets how many submitters, threads and futures together, may wait for a slot at once. The
    /// next submitter gets [`Full`](crate::SlotError::Full). Default: no limit.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().capacity(1).max_waiting(0).build()?;
    /// let held = pool.slot().wait()?;
    /// // Refused at once, because no submitter may wait.
    /// let refused = pool.slot().wait_timeout(Duration::from_secs(60)).err();
    /// assert_eq!(refused, Some(anthill::SlotError::Full));
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_waiting(mut self, submitters: usize) -> Self {
        self.max_waiting = submitters;
        self
    }

    /// Sets the stack size of each thread, in bytes. Default: that of [`std::thread::Builder`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// fn depth(levels: u32) -> u32 {
    ///     if levels == 0 { 0 } else { 1 + depth(levels - 1) }
    /// }
    ///
    /// let pool = anthill::Pool::builder().stack_size(64 << 20).build()?; // 64 MiB
    /// assert_eq!(pool.submit_with_handle(|| depth(100_000))?.wait()?, 100_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets the handler for panics of tasks. A panic of a task with a
    /// [`JoinHandle`](crate::JoinHandle) goes to the handle instead, unless that was dropped. A
    /// panic in a scope or a map goes to its caller. The worker that ran the task calls it while
    /// the task still holds its slot. No lock is held, so the handler may use the pool. A panic of
    /// the handler is caught and counted in
    /// [`Stats::handler_panics`](crate::Stats::handler_panics). Default: none, see [`TaskPanic`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let pool = anthill::Pool::builder()
    ///     .panic_handler(move |panic| _ = sender.send(panic.to_string()))
    ///     .build()?;
    /// pool.submit(|| panic!("no such file"))?;
    /// assert_eq!(receiver.recv()?, "a task of pool `anthill` panicked: no such file");
    /// # Ok(())
    /// # }
    /// ```
    pub fn panic_handler(mut self, handler: impl Fn(TaskPanic) + Send + Sync + 'static) -> Self {
        self.panic_handler = Some(Arc::new(handler));
        self
    }

    /// Returns the settings of one shard.
    pub(crate) fn for_shard(&self, index: usize) -> Self {
        self.clone().name(format!("{}-{index}", self.name))
    }

    /// Measures one of every `one_in` tasks: how long it waited for a worker and how long it ran.
    /// [`Pool::times`] returns the figures. Default: off, at no cost.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().sample_times(1).build()?; // every task
    /// pool.submit(|| println!("measured"))?;
    /// pool.shutdown().wait()?;
    /// let times = pool.times().expect("sampling is on");
    /// println!("half of the tasks waited for at most {:?}", times.queue_wait.quantile(0.5));
    /// assert_eq!(times.run.count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sample_times(mut self, one_in: u64) -> Self {
        self.sample_one_in = Some(one_in);
        self
    }

    /// Sets a function that makes a reactor for each pool that is built. An idle worker waits in
    /// it, so the pool keeps at least one thread. Default: none; other threads wake futures.
    ///
    /// [`Reactor`] has an example.
    pub fn reactor<R: Reactor>(
        mut self,
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Self {
        self.reactor = Some(Arc::new(move || Ok(Arc::new(make()?))));
        self.around = None;
        self
    }

    /// Makes each thread of the pool run inside `around`. No thread waits in a reactor.
    #[cfg(feature = "tokio")]
    pub(crate) fn around(mut self, around: Around) -> Self {
        self.around = Some(around);
        self.reactor = None;
        self
    }

    /// Builds the pool. If the range of [`threads`](Self::threads) starts at 0, no thread starts
    /// before there is work, except for the worker that waits in a [reactor](Self::reactor).
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// assert_eq!((pool.capacity(), pool.stats().threads), (1024, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// An invalid setting, or a thread or reactor that failed to start.
    pub fn build(self) -> Result<Pool, BuildError> {
        if self.capacity == 0 {
            return Err(BuildError::ZeroCapacity);
        }
        let (min, max) = (self.min_threads, self.max_threads);
        check_threads(min, max)?;
        if self.sample_one_in == Some(0) {
            return Err(BuildError::ZeroSampling);
        }
        if self.name.contains('\0') {
            return Err(BuildError::InvalidName(self.name));
        }
        let reactor = self.reactor.map(|make| make()).transpose();
        let reactor = reactor.map_err(BuildError::Reactor)?;
        let settings = Settings {
            name: self.name.into(),
            stack_size: self.stack_size,
            idle_expiry: self.idle_expiry,
            panic_handler: self.panic_handler,
            hooks: self.hooks,
            sampler: self.sample_one_in.map(Sampler::new).map(Arc::new),
            reactor: reactor.map(SharedReactor::new),
            around: self.around,
            context: self.context,
        };
        let min = settings.fewest(min);
        let root = Entrance::new(
            self.capacity,
            Priority::Normal,
            self.nonblocking,
            self.max_waiting,
        );
        let pool = Pool::new(Scheduler::new(settings, root, (min, max), worker::work));
        // On an error the pool is dropped, which closes it, so that the threads that did start
        // exit.
        pool.start_threads(min).map_err(BuildError::Thread)?;
        Ok(pool)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("threads", &(self.min_threads..=self.max_threads))
            .field("idle_expiry", &self.idle_expiry)
            .field("nonblocking", &self.nonblocking)
            .field("max_waiting", &self.max_waiting)
            .field("stack_size", &self.stack_size)
            .field("sample_one_in", &self.sample_one_in)
            .finish_non_exhaustive()
    }
}
