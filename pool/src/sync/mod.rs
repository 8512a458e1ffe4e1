//! The only module that names atomics, locks, threads and queues.
//!
//! The rest of the crate imports them from here, so that loom and shuttle explore the pool's own
//! code. `--cfg anthill_loom` selects loom, `--cfg anthill_shuttle` selects shuttle.
//!
//! loom must see each access and its memory order, so crossbeam-deque is replaced by
//! `deque_ordered`, or by `deque_plain` under `--cfg anthill_plain_deque`. shuttle explores only
//! thread schedules, and uses the real crate.

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

/// Types for statistics. They order nothing, so they are also real in models, where they add no
/// schedules.
pub(crate) mod figures {
    pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

pub(crate) use crossbeam_deque::Steal;
#[cfg(not(anthill_loom))]
pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Local};

/// An action that a thread runs at its exit.
pub(crate) trait AtExit {
    fn at_exit(&self);
}
