//! Limits that follow the load: a controller that looks at a pool now and then and moves its capacity, or its threads.
//!
//! A [`Tuner`] takes [`Sample`]s of a pool; its [`Policy`] proposes a limit for each; a [`Control`] keeps the limit within
//! bounds, still while a change is not worth it, and for a while after each change. Each [`Change`] has its [`Reason`].
//!
//! | policy | looks at | moves | take it when |
//! |---|---|---|---|
//! | [`Fixed`] | nothing | nothing | one number is right, or to compare with |
//! | [`Stepped`] | how much there is to do | between a few numbers of yours | you know what fits which load |
//! | [`Gradient`] | how long tasks take, against how long they used to | the capacity | what tasks use has a limit that you do not know, and that changes |
//! | [`HillClimbing`] | whether more threads do more tasks a second | the threads | tasks block for you do not know how long, and there are hundreds a second |
//!
//! None is better than a fixed limit that is right. `tests/tuner` plays them all against a simulated service whose load
//! and whose dependency change; its table is in the repository, `pool/docs/tuner.md`.
//!
//! ```
//! use std::time::Duration;
//!
//! use anthill::Pool;
//! use anthill::tuner::{Gradient, Target, Tuner};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder().capacity(64).build()?;
//! let tuner = Tuner::new(&pool, Target::Capacity, Gradient::default())
//!     .bounds(8..=1024)
//!     .interval(Duration::from_millis(500));
//! let tuning = tuner.start(|change| println!("capacity {change}"))?;
//! pool.submit(|| println!("work"))?;
//! drop(tuning); // the capacity stays where it is
//! # pool.shutdown().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! A program with timers of its own calls [`Tuner::tick`] and needs no thread for it.

mod control;
mod gradient;
mod hill_climbing;
mod policy;
mod reason;
mod sample;
mod stepped;

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::pool::Pool;

pub use self::control::{Change, Control};
pub use self::gradient::Gradient;
pub use self::hill_climbing::HillClimbing;
pub use self::policy::{Fixed, Policy, Proposal};
pub use self::reason::Reason;
pub use self::sample::{Probe, Sample};
pub use self::stepped::Stepped;

use self::sample::Meter;

/// How often the pool is looked at for one sample.
const READINGS: u32 = 10;

/// Which limit of a pool is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// How many tasks may be in the pool: [`Pool::set_capacity`].
    Capacity,
    /// How many threads there may be, for the pool and its subpools: [`Pool::set_threads`]. The fewest stay as they are.
    Threads,
}

/// Samples a pool and moves one of its limits.
///
/// It holds the pool: one that nobody else holds ends when the tuner does.
pub struct Tuner {
    meter: Meter,
    pool: Pool,
    target: Target,
    control: Control,
    /// Of a sample.
    interval: Duration,
}

impl Tuner {
    /// A tuner that has not looked yet. The limit may go from 1 to four times what it is; a sample is half a second.
    #[must_use]
    pub fn new(pool: &Pool, target: Target, policy: impl Policy + 'static) -> Self {
        let limit = target.limit(pool);
        Self {
            meter: Meter::new(target),
            pool: pool.clone(),
            target,
            control: Control::new(policy, limit).bounds(1..=limit.saturating_mul(4)),
            interval: Duration::from_millis(500),
        }
    }

    /// The smallest limit and the largest. Zero stands for 1, and an end below the beginning for the beginning.
    #[must_use]
    pub fn bounds(self, bounds: RangeInclusive<usize>) -> Self {
        let control = self.control.bounds(bounds);
        Self { control, ..self }
    }

    /// How long a sample takes; at least 10 ms. It should see some tens of tasks end.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1) * READINGS);
        Self { interval, ..self }
    }

    /// The least change that turns back, as a share of the limit; a tenth unless told otherwise. See
    /// [`Control::hysteresis`].
    #[must_use]
    pub fn hysteresis(self, share: f64) -> Self {
        let control = self.control.hysteresis(share);
        Self { control, ..self }
    }

    /// The least time between two changes; two seconds unless told otherwise. See [`Control::pause`].
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        let control = self.control.pause(pause);
        Self { control, ..self }
    }

    /// Where the policy learns how busy the machine is: asked once a sample.
    #[must_use]
    pub fn probe(mut self, probe: impl FnMut() -> Probe + Send + 'static) -> Self {
        self.meter.probe = Some(Box::new(probe));
        self
    }

    /// Which limit it moves.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Where the limit stands.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.target.limit(&self.pool)
    }

    /// How often [`tick`](Self::tick) wants to be called: ten times a sample.
    #[must_use]
    pub fn tick_interval(&self) -> Duration {
        self.interval / READINGS
    }

    /// Looks at the pool, and moves its limit if a sample is complete and says so. Never blocks.
    pub fn tick(&mut self) -> Option<Change> {
        let limit = self.limit();
        let sample = self
            .meter
            .read(&self.pool.stats(), Instant::now(), limit, self.interval)?;
        // Somebody else may have moved it.
        self.control.limit_is(limit);
        let change = self.control.observe(&sample)?;
        self.target.set(&self.pool, change.to);
        Some(change)
    }

    /// Ticks on a thread of its own, until what this returns is dropped; tells each change there.
    ///
    /// # Errors
    ///
    /// When the system refuses the thread.
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

    fn set(self, pool: &Pool, limit: usize) {
        match self {
            Self::Capacity => pool.set_capacity(limit),
            Self::Threads => {
                let fewest = (*pool.threads().start()).min(limit);
                // Refused only beyond what a pool may have, and then nothing changes: the next sample finds the limit
                // where it was.
                let _ = pool.set_threads(fewest..=limit);
            }
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

/// A tuner at work. It ends, and is waited for, when this is dropped; limits stay where they are.
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
        // It may be dropped by what it tells of changes. A panic there has been reported as any thread's.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}
