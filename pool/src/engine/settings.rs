//! The settings of a pool, fixed when it is built.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::context::Capture;
use crate::engine::idle::MAX_THREADS;
use crate::engine::worker_thread::MakeLocal;
use crate::errors::BuildError;
use crate::figures::Sampler;
use crate::task::TaskPanic;
use crate::task::{Payload, unwind};
use crate::wait::SharedReactor;

pub type PanicHandler = Arc<dyn Fn(TaskPanic) + Send + Sync>;

/// Called with the index of the worker.
pub type Hook = Arc<dyn Fn(usize) + Send + Sync>;

/// The functions that each thread calls when it starts and stops.
#[derive(Clone, Default)]
pub struct Hooks {
    pub start: Option<Hook>,
    /// The values that each thread has while it works, with the ids of their `WorkerLocal`s.
    pub locals: Vec<(usize, MakeLocal)>,
    pub stop: Option<Hook>,
}

/// Runs the main loop of a thread inside a context.
pub type Around = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// The settings of a pool.
pub struct Settings {
    pub name: Arc<str>,
    pub stack_size: Option<usize>,
    pub idle_expiry: Duration,
    pub panic_handler: Option<PanicHandler>,
    pub hooks: Hooks,
    pub sampler: Option<Arc<Sampler>>,
    pub reactor: Option<SharedReactor>,
    pub around: Option<Around>,
    pub context: Option<Capture>,
}

impl Settings {
    /// Returns the minimum of threads for a requested minimum: a reactor needs one.
    pub fn fewest(&self, asked: usize) -> usize {
        asked.max(usize::from(self.reactor.is_some()))
    }

    /// Returns whether tasks are measured or get a context.
    #[inline]
    pub fn treats_tasks(&self) -> bool {
        self.sampler.is_some() || self.context.is_some()
    }

    /// Runs the main loop of a thread. Returns the loop if the reactor did not run it, and the
    /// payload if the reactor panicked.
    pub fn within<L: FnOnce()>(&self, body: L) -> (Option<L>, Result<(), Payload>) {
        let mut body = Some(body);
        let mut work = || {
            if let Some(body) = body.take() {
                body();
            }
        };
        let ran = unwind::catch(|| match (&self.reactor, &self.around) {
            (Some(shared), _) => shared.reactor.within(&mut work),
            (None, Some(around)) => around(&mut work),
            (None, None) => work(),
        });
        (body, ran)
    }
}

/// Checks that a pool supports this range of threads.
pub fn check_threads(min: usize, max: usize) -> Result<(), BuildError> {
    if max == 0 || min > max {
        return Err(BuildError::NoThreads { min, max });
    }
    if max > MAX_THREADS {
        return Err(BuildError::TooManyThreads {
            asked: max,
            limit: MAX_THREADS,
        });
    }
    Ok(())
}
