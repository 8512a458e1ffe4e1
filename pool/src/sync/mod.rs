//! The one module that names the atomics, the locks, the threads and the queues.
//!
//! Everything else in the crate takes them from here, so that the whole pool also runs on the types of an engine that
//! explores schedules, and its own code is what the models explore: loom's under `--cfg anthill_loom`, shuttle's under
//! `--cfg anthill_shuttle`.
//!
//! loom sees each access and each memory order, so crossbeam-deque, which it cannot look into, gives way to a stand-in:
//! `deque_ordered`, or with `--cfg anthill_plain_deque` `deque_plain`. shuttle explores orders of threads only, and takes
//! the real one.

#[cfg(not(any(anthill_loom, anthill_shuttle)))]
mod real;
#[cfg(not(any(anthill_loom, anthill_shuttle)))]
pub(crate) use real::*;

#[cfg(any(anthill_loom, anthill_shuttle))]
mod model;
#[cfg(any(anthill_loom, anthill_shuttle))]
pub(crate) use model::*;

#[cfg(all(anthill_loom, not(anthill_plain_deque)))]
mod deque_ordered;
#[cfg(all(anthill_loom, not(anthill_plain_deque)))]
pub(crate) use deque_ordered::{Injector, Local, Stealer};

#[cfg(all(anthill_loom, anthill_plain_deque))]
mod deque_plain;
#[cfg(all(anthill_loom, anthill_plain_deque))]
pub(crate) use deque_plain::{Injector, Local, Stealer};

/// For figures alone: what orders nothing is the same in a model, and adds no schedules to it.
pub(crate) mod figures {
    pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

pub(crate) use crossbeam_deque::Steal;
#[cfg(not(anthill_loom))]
pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Local};

/// An action that a thread runs as it exits.
pub(crate) trait AtExit {
    fn at_exit(&self);
}
