//! What can be set before a pool begins.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::build_error::BuildError;
use crate::entrance::Entrance;
use crate::panic::TaskPanic;
use crate::pool::Pool;
use crate::priority::Priority;
use crate::reactor::{MakeReactor, Reactor, SharedReactor};
use crate::sampling::Sampler;
use crate::scheduler::Scheduler;
use crate::settings::{Around, Hooks, PanicHandler, Settings, check_threads};
use crate::worker;

/// Settings of a [`Pool`], from [`Pool::builder`].
///
/// Three limits, three names: [`capacity`](Self::capacity) is how many tasks may be in the pool,
/// [`threads`](Self::threads) how many closures may run at once, [`max_waiting`](Self::max_waiting) how many submitters may
/// wait to get in.
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
    hooks: Hooks,
    sample_one_in: Option<u64>,
    reactor: Option<MakeReactor>,
    around: Option<Around>,
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
        }
    }
}

impl Builder {
    /// The name of the pool and of its threads. Default: `anthill`. Linux shows the first 15 bytes.
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

    /// How many tasks may be in the pool at once, from acceptance to their end; a suspended future counts. Default:
    /// 1024. Anything from 2^31 - 1 upwards, such as `usize::MAX`, is unlimited. [`Pool::set_capacity`] changes it later.
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

    /// Sets how many workers stay when idle (the start of the range) and how many may be inside closures at once (its
    /// end). Default: from 0 to the processors that the process may use, by its affinity and, on Linux, by the CPU quota of
    /// its cgroup, rounded up. For closures that block, take as many as are to block at once. With a
    /// [reactor](Self::reactor) at least one stays.
    ///
    /// While all of them are inside closures and a future can go on, or events are awaited, one thread more is started.
    /// It polls futures, runs no closure meanwhile, and expires like any other.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// // Two are there from the beginning; up to sixteen tasks block at once.
    /// let pool = anthill::Pool::builder().threads(2..=16).build()?;
    /// assert_eq!(pool.stats().threads, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn threads(mut self, threads: RangeInclusive<usize>) -> Self {
        (self.min_threads, self.max_threads) = threads.into_inner();
        self
    }

    /// After how long without work a thread ends. Default: 10 seconds. `Duration::MAX` keeps them for ever.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// use std::time::Duration;
    ///
    /// // Bursts come every few seconds: the threads of one are still there for the next.
    /// let pool = anthill::Pool::builder().idle_expiry(Duration::from_secs(60)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle_expiry(mut self, after: Duration) -> Self {
        self.idle_expiry = after;
        self
    }

    /// Whether [`Pool::submit`], [`Pool::spawn`], [`Pool::slot`] and those with a handle refuse when the pool is full,
    /// instead of waiting. The calls with a timeout or a deadline and the async ones wait all the same. Default: false.
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

    /// How many submitters may wait for a slot at once, threads and futures together; the next one is told
    /// [`Full`](crate::SlotError::Full). Default: no limit.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().capacity(1).max_waiting(0).build()?;
    /// let held = pool.slot().wait()?;
    /// // Told at once, since nobody may wait.
    /// let refused = pool.slot().wait_timeout(Duration::from_secs(60)).err();
    /// assert_eq!(refused, Some(anthill::SlotError::Full));
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_waiting(mut self, submitters: usize) -> Self {
        self.max_waiting = submitters;
        self
    }

    /// The stack of each thread, in bytes. Default: what [`std::thread::Builder`] uses.
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

    /// What is called with the panic of a task, on the worker that ran it, while the task still holds its slot. No
    /// lock is held, so it may use the pool. A handler that panics is contained and counted in
    /// [`Stats::handler_panics`](crate::Stats::handler_panics). Default: none, see [`TaskPanic`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (said, heard) = std::sync::mpsc::channel();
    /// let pool = anthill::Pool::builder()
    ///     .panic_handler(move |panic| _ = said.send(panic.to_string()))
    ///     .build()?;
    /// pool.submit(|| panic!("no such file"))?;
    /// assert_eq!(heard.recv()?, "a task of pool `anthill` panicked: no such file");
    /// # Ok(())
    /// # }
    /// ```
    pub fn panic_handler(mut self, handler: impl Fn(TaskPanic) + Send + Sync + 'static) -> Self {
        self.panic_handler = Some(Arc::new(handler));
        self
    }

    /// The same settings for one pool of several.
    pub(crate) fn for_shard(&self, index: usize) -> Self {
        self.clone().name(format!("{}-{index}", self.name))
    }

    /// What each thread calls when it starts, before its first task: to set a priority or a thread-local. It may take long:
    /// meanwhile idle threads are woken and others are started for the tasks that wait. It counts as a closure within
    /// [`threads`](Self::threads). A hook that panics is contained and counted in
    /// [`Stats::handler_panics`](crate::Stats::handler_panics).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder()
    ///     .on_thread_start(|| println!("{:?} begins", std::thread::current().id()))
    ///     .on_thread_stop(|| println!("{:?} leaves", std::thread::current().id()))
    ///     .build()?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.start = Some(Arc::new(hook));
        self
    }

    /// What each thread calls when it leaves, after its last task. [`Pool::shutdown`] waits for it. The thread counts no
    /// longer, and another may have taken its place. A panic is contained and counted, as in
    /// [`on_thread_start`](Self::on_thread_start).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (said, heard) = std::sync::mpsc::channel();
    /// let pool = anthill::Pool::builder()
    ///     .threads(3..=3)
    ///     .on_thread_stop(move || _ = said.send(std::thread::current().id()))
    ///     .build()?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(heard.try_iter().count(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.stop = Some(Arc::new(hook));
        self
    }

    /// Measures one of so many tasks: how long it waited for a worker, and how long it ran. The figures are in
    /// [`Pool::times`]. Default: none is measured, and nothing is spent on it.
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

    /// An idle worker waits in a reactor, which this makes for each pool that is built. By default there is none, and
    /// futures are woken from other threads. The pool keeps at least one thread then.
    ///
    /// See [`Reactor`] for what it is and an example.
    pub fn reactor<R: Reactor>(
        mut self,
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Self {
        self.reactor = Some(Arc::new(move || Ok(Arc::new(make()?))));
        self.around = None;
        self
    }

    /// Each thread of the pool runs its life inside this, and none waits in a reactor.
    #[cfg(feature = "tokio")]
    pub(crate) fn around(mut self, around: Around) -> Self {
        self.around = Some(around);
        self.reactor = None;
        self
    }

    /// Builds the pool. If the range of [`threads`](Self::threads) starts at 0, none is started until there is work, except
    /// for the one that waits in a [reactor](Self::reactor).
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
    /// A setting that no pool can have, or a thread that was to be there from the beginning and did not start.
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
        };
        let min = settings.fewest(min);
        let root = Entrance::new(
            self.capacity,
            Priority::Normal,
            self.nonblocking,
            self.max_waiting,
        );
        let pool = Pool::new(Scheduler::new(settings, root, (min, max), worker::work));
        // On an error the pool is dropped, which closes it and lets the threads that did start leave.
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
