//! The one module that names the atomics, the locks, the threads and the queues.
//!
//! Everything else in the crate takes them from here, so that under `--cfg anthill_loom` the whole pool runs on
//! loom's versions and its own code is what the models explore.

#[cfg(not(anthill_loom))]
mod real;
#[cfg(not(anthill_loom))]
pub(crate) use real::*;

#[cfg(anthill_loom)]
mod model;
#[cfg(anthill_loom)]
mod model_deque;
#[cfg(anthill_loom)]
pub(crate) use model::*;
