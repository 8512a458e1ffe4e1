//! What was set when a pool was built, and does not change.

use std::sync::Arc;
use std::time::Duration;

use crate::build_error::BuildError;
use crate::idle::MAX_THREADS;
use crate::panic::TaskPanic;
use crate::reactor::SharedReactor;
use crate::sampling::Sampler;
use crate::unwind::{self, Payload};

pub(crate) type PanicHandler = Arc<dyn Fn(TaskPanic) + Send + Sync>;

pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// What each thread calls.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Hook>,
    pub(crate) stop: Option<Hook>,
}

/// Runs the life of a thread inside of something.
pub(crate) type Around = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// What was set when the pool was built.
pub(crate) struct Settings {
    pub(crate) name: Arc<str>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) idle_expiry: Duration,
    pub(crate) panic_handler: Option<PanicHandler>,
    pub(crate) hooks: Hooks,
    pub(crate) sampler: Option<Arc<Sampler>>,
    pub(crate) reactor: Option<SharedReactor>,
    pub(crate) around: Option<Around>,
}

impl Settings {
    /// The fewest threads that stay, where so many are asked for: a reactor wants one.
    pub(crate) fn fewest(&self, asked: usize) -> usize {
        asked.max(usize::from(self.reactor.is_some()))
    }

    /// Runs the life of a thread. Gives back a life that the reactor did not run, and what it panicked with.
    pub(crate) fn within<L: FnOnce()>(&self, life: L) -> (Option<L>, Result<(), Payload>) {
        let mut life = Some(life);
        let mut work = || {
            if let Some(life) = life.take() {
                life();
            }
        };
        let ran = unwind::catch(|| match (&self.reactor, &self.around) {
            (Some(shared), _) => shared.reactor.within(&mut work),
            (None, Some(around)) => around(&mut work),
            (None, None) => work(),
        });
        (life, ran)
    }
}

/// Whether a pool can have this range of threads.
pub(crate) fn check_threads(min: usize, max: usize) -> Result<(), BuildError> {
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
