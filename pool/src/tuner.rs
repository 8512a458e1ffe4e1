//! Limits that follow the load: a controller that samples a pool and moves its capacity, or its
//! threads.
//!
//! A [`Tuner`] takes [`Sample`]s of a pool. Its [`Policy`] proposes a limit for each sample. A
//! [`Control`] keeps the limit within bounds, suppresses small changes, and waits between two
//! changes. Each [`Change`] carries its [`Reason`].
//!
//! | policy | measures | moves | use it when |
//! |---|---|---|---|
//! | [`Fixed`] | nothing | nothing | one limit is right, or as a baseline for comparison |
//! | [`Stepped`] | demand | between limits that you choose | you know which limit fits which load |
//! | [`Gradient`] | latency, relative to its long-term mean | the capacity | a shared resource has an unknown limit |
//! | [`Aimd`] | reported failures | the capacity | a shared resource refuses or times out under overload |
//! | [`HillClimbing`] | whether more threads raise the throughput | the threads | many short tasks block |
//!
//! No policy beats a fixed limit that is right. `tests/behaviour/tuner` runs them all against a
//! simulated service whose load and dependency change. `pool/docs/tuner.md` in the repository has
//! the results.
//!
//! ```
//! use std::time::Duration;
//!
//! use anthill::Pool;
//! use anthill::tuner::{Control, Gradient, Target, Tuner};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder().capacity(64).build()?;
//! let control = Control::new(Gradient::default()).bounds(8..=1024);
//! let tuner = Tuner::new(&pool, Target::Capacity, control).interval(Duration::from_millis(500));
//! let tuning = tuner.start(|change| println!("capacity {change}"))?;
//! pool.submit(|| println!("work"))?;
//! drop(tuning); // the capacity stays where it is
//! # pool.shutdown().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! A program with timers of its own calls [`Tuner::tick`] and needs no extra thread.

mod aimd;
mod control;
mod failures;
mod gradient;
mod hill_climbing;
mod policy;
mod reason;
mod sample;
mod stepped;

use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::pool::Pool;

pub use self::aimd::Aimd;
pub use self::control::{Change, Control};
pub use self::failures::Failures;
pub use self::gradient::Gradient;
pub use self::hill_climbing::HillClimbing;
pub use self::policy::{Fixed, Policy, Proposal};
pub use self::reason::Reason;
pub use self::sample::{Probe, Sample};
pub use self::stepped::Stepped;

use self::sample::Meter;

/// Readings of the pool for one sample.
const READINGS: u32 = 10;

/// Which limit of a pool a tuner moves.
///
/// ```
/// use anthill::tuner::{Gradient, HillClimbing, Target, Tuner};
///
/// # fn main() -> Result<(), anthill::BuildError> {
/// let pool = anthill::Pool::builder().capacity(64).threads(0..=8).build()?;
/// let capacity = Tuner::new(&pool, Target::Capacity, Gradient::default());
/// let threads = Tuner::new(&pool, Target::Threads, HillClimbing::default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The number of slots: [`Pool::set_capacity`].
    Capacity,
    /// The most threads, for the pool and its subpools: [`Pool::set_threads`]. A limit
    /// below the minimum lowers the minimum too, until the limit rises again.
    Threads,
}

/// Samples a pool and moves one of its limits.
///
/// A tuner holds a handle of the pool. If it holds the last one, dropping the tuner closes the
/// pool.
///
/// ```
/// use anthill::tuner::{Stepped, Target, Tuner};
///
/// # fn main() -> Result<(), anthill::BuildError> {
/// let pool = anthill::Pool::builder().capacity(4).build()?;
/// let mut tuner = Tuner::new(&pool, Target::Capacity, Stepped::default());
/// // Call this every `tuner.tick_interval()`.
/// if let Some(change) = tuner.tick() {
///     println!("capacity {change}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Tuner {
    meter: Meter,
    pool: Pool,
    target: Target,
    control: Control,
    /// The minimum of threads while the limit allows it.
    min_threads: usize,
    /// The length of a sample.
    interval: Duration,
}

impl Tuner {
    /// Returns a tuner that has taken no sample yet, from a [`Policy`] or from a [`Control`] with
    /// other settings. A sample takes half a second by default.
    ///
    /// ```
    /// use anthill::tuner::{Control, Gradient, Target, Tuner};
    ///
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().capacity(64).build()?;
    /// let control = Control::new(Gradient::default()).bounds(8..=1024);
    /// let tuner = Tuner::new(&pool, Target::Capacity, control);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(pool: &Pool, target: Target, control: impl Into<Control>) -> Self {
        Self {
            meter: Meter::new(target),
            pool: pool.clone(),
            target,
            control: control.into().or_bounds_around(target.limit(pool)),
            min_threads: *pool.threads().start(),
            interval: Duration::from_millis(500),
        }
    }

    /// Sets how long a sample takes, at least 10 ms. Default: 500 ms. At least some tens of tasks
    /// should end in it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use anthill::tuner::{Fixed, Target, Tuner};
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// # let pool = anthill::Pool::builder().capacity(64).build()?;
    /// let tuner = Tuner::new(&pool, Target::Capacity, Fixed(64)).interval(Duration::from_secs(1));
    /// assert_eq!(tuner.tick_interval(), Duration::from_millis(100));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1) * READINGS);
        Self { interval, ..self }
    }

    /// Sets a function that measures how busy the machine is. The tuner calls it once a sample.
    ///
    /// ```
    /// # use anthill::tuner::{Fixed, Probe, Target, Tuner};
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// # let pool = anthill::Pool::builder().capacity(64).build()?;
    /// let measure = || Probe { cpu: Some(0.7), memory: None };
    /// let tuner = Tuner::new(&pool, Target::Capacity, Fixed(64)).probe(measure);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn probe(mut self, probe: impl FnMut() -> Probe + Send + 'static) -> Self {
        self.meter.probe = Some(Box::new(probe));
        self
    }

    /// Returns a handle through which tasks report failures of the resource that the pool protects.
    ///
    /// ```
    /// # use anthill::tuner::{Aimd, Target, Tuner};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(64).build()?;
    /// let tuner = Tuner::new(&pool, Target::Capacity, Aimd::default());
    /// let failures = tuner.failures();
    /// pool.submit(move || {
    ///     if std::fs::read("/nowhere").is_err() {
    ///         failures.report();
    ///     }
    /// })?;
    /// # pool.shutdown().wait()?;
    /// # assert_eq!(tuner.failures().count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn failures(&self) -> Failures {
        self.meter.failures.clone()
    }

    /// Returns the time between two calls of [`tick`](Self::tick): a tenth of a sample.
    #[must_use]
    pub fn tick_interval(&self) -> Duration {
        self.interval / READINGS
    }

    /// Reads the pool once. If the reading completes a sample and the policy proposes a change that
    /// is due, moves the limit and returns the change. Never blocks.
    pub fn tick(&mut self) -> Option<Change> {
        let limit = self.target.limit(&self.pool);
        let sample = self
            .meter
            .read(&self.pool.stats(), Instant::now(), limit, self.interval)?;
        let change = self.control.observe(limit, &sample)?;
        match self.target {
            Target::Capacity => self.pool.set_capacity(change.to),
            Target::Threads => self.set_threads(change.to),
        }
        Some(change)
    }

    fn set_threads(&mut self, limit: usize) {
        let (min, max) = self.pool.threads().into_inner();
        if min != self.min_threads.min(max) {
            // Another caller has set the minimum since.
            self.min_threads = min;
        }
        // The pool refuses only more threads than it supports. The limit then stays, and the next
        // sample reads it.
        let _ = self.pool.set_threads(self.min_threads.min(limit)..=limit);
    }

    /// Starts a thread that calls [`tick`](Self::tick) at the right interval, and calls `on_change`
    /// there after each change. Dropping the returned [`Tuning`] stops the thread.
    ///
    /// # Errors
    ///
    /// An `io::Error` if the system refuses to start the thread.
    ///
    /// ```
    /// # use anthill::tuner::{Gradient, Target, Tuner};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(64).build()?;
    /// let tuner = Tuner::new(&pool, Target::Capacity, Gradient::default());
    /// let tuning = tuner.start(|change| println!("capacity {change}"))?;
    /// drop(tuning); // the capacity stays as it is
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(
        mut self,
        mut on_change: impl FnMut(&Change) + Send + 'static,
    ) -> io::Result<Tuning> {
        let (stop, stopped) = mpsc::channel::<()>();
        let name = format!("{}-tuner", self.pool.name());
        let run = move || {
            while stopped.recv_timeout(self.tick_interval()) == Err(RecvTimeoutError::Timeout) {
                if let Some(change) = self.tick() {
                    on_change(&change);
                }
            }
        };
        let thread = thread::Builder::new().name(name).spawn(run)?;
        Ok(Tuning {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Target {
    fn limit(self, pool: &Pool) -> usize {
        match self {
            Self::Capacity => pool.capacity(),
            Self::Threads => *pool.threads().end(),
        }
    }
}

impl fmt::Debug for Tuner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuner")
            .field("pool", &self.pool.name())
            .field("target", &self.target)
            .field("control", &self.control)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// A running tuner, from [`Tuner::start`]. Dropping it stops the tuner's thread and waits for it;
/// the limit stays as it is.
#[derive(Debug)]
pub struct Tuning {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Tuning {
    fn drop(&mut self) {
        self.stop.take();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // `on_change` may drop it on the tuner's own thread, which cannot join itself. A panic of
        // that thread has already run the panic hook.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}
