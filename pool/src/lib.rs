//! A bounded worker pool that runs closures and futures on the same threads.
//!
//! A pool has a fixed number of *slots*. A task takes one when it is accepted and gives it back when it has ended, so
//! the number of tasks in the pool, waiting and running, never exceeds the *capacity*. When no slot is free, the
//! submitter waits, with or without a thread, for ever or for a while, or is refused and gets its task back. That is
//! back-pressure: what cannot be done yet is not piled up.
//!
//! Threads come when there is work and nobody to do it, up to a limit, and leave when they have been idle for a while.
//! A task that panics ends alone, and is reported. Futures give up their thread while they wait, and keep their slot.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use anthill::Pool;
//!
//! let pool = Pool::builder().capacity(1000).build()?;
//! for n in 0..10_000 {
//!     pool.submit(move || println!("task {n}"))?; // waits while 1000 are in the pool
//! }
//! pool.spawn(async { println!("a future, on the same threads") })?;
//! pool.shutdown()?; // waits until all have ended
//! # Ok(())
//! # }
//! ```
//!
//! # Three limits
//!
//! | limit | bounds | beyond it |
//! |---|---|---|
//! | [`capacity`](Builder::capacity) | tasks in the pool | submitters wait or are refused |
//! | [`threads`](Builder::threads) | closures that run at once | closures wait in the pool |
//! | [`max_waiting`](Builder::max_waiting) | submitters that wait | submitters are refused |
//!
//! Code that blocks occupies a thread, so a pool for blocking closures wants as many threads as are to block at
//! once. Code that waits should be a future: it costs a slot and no thread.
//!
//! Futures run while closures occupy every worker: one thread beyond `threads` is started for them when it is needed.
//! [`guide_scheduling`] shows in one picture what runs before what, and what is never starved.
//!
//! # Panics
//!
//! A panic of a task is caught on the worker, counted, and given to the [panic
//! handler](Builder::panic_handler). This needs unwinding: in a program built with `panic = "abort"` a panic in a task
//! ends the program, as everywhere else.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tokio` | `Builder::tokio`: an idle worker drives tokio's sockets, timers and signals, which work in every task |
//! | `tuner` | module `tuner`: the capacity, or the threads, follow the load |
//! | `metrics` | `Pool::publish_metrics` publishes the figures through the `metrics` facade |
//! | `tracing` | a span for each task, at level debug: a child of the span in which it was submitted, with the name of the pool and, if it has one, of the task; an error event for a panic that no handler is told |
//!
//! None is on by default.
//!
//! # What it rests on
//!
//! The pool's own protocols (slots, waiting, waking, expiry, close) are model-checked with loom over this very code.
//! [crossbeam-deque](crossbeam_deque), [`parking_lot`] and [async-task](async_task) are trusted.
#![cfg_attr(
    any(anthill_loom, anthill_shuttle),
    allow(rustdoc::broken_intra_doc_links, reason = "models link no parking_lot")
)]

mod activity;
mod backlog;
mod balance;
mod build_error;
mod builder;
mod cap;
mod end;
mod entrance;
mod error;
mod fn_pool;
mod future;
mod gate;
mod gathering;
mod group;
mod group_results;
mod group_submit;
mod helper;
mod histogram;
mod idle;
mod join;
mod lane;
mod large;
#[cfg(feature = "metrics")]
mod metrics;
mod multi_pool;
mod multi_submit;
mod named;
mod names;
mod packet;
mod panic;
mod parker;
mod pool;
mod priority;
mod queues;
mod reactor;
mod sampling;
mod scheduler;
mod scope;
mod seat;
mod settings;
mod shutdown;
mod slot;
mod slots;
mod spin;
mod stats;
mod strand;
mod strand_submit;
mod strands;
mod submit;
mod subpool;
mod sync;
mod task;
#[cfg(feature = "tokio")]
mod tokio_reactor;
mod trace;
#[cfg(all(feature = "tuner", not(any(anthill_loom, anthill_shuttle))))]
pub mod tuner;
mod unwind;
mod waiter;
mod watch;
mod worker;

pub use balance::Balance;
pub use build_error::BuildError;
pub use builder::Builder;
pub use error::{
    JoinError, MultiShutdownError, ReopenError, ShutdownError, SlotError, SubmitError, Unfinished,
};
pub use fn_pool::FnPool;
pub use group::Group;
pub use group_results::{GroupError, GroupResults};
pub use histogram::Histogram;
pub use join::JoinHandle;
pub use multi_pool::MultiPool;
pub use named::{NamedFuture, named, named_future};
pub use panic::TaskPanic;
pub use pool::Pool;
pub use priority::Priority;
pub use reactor::Reactor;
pub use sampling::Times;
pub use scope::Scope;
pub use settings::Reentrancy;
pub use slot::Slot;
pub use stats::Stats;
pub use strand::Strand;
pub use strands::Strands;
pub use subpool::SubpoolBuilder;
#[cfg(feature = "tokio")]
pub use tokio_reactor::TokioReactor;

#[cfg(any(anthill_loom, anthill_shuttle))]
#[doc(hidden)]
pub use sync::thread::refuse_thread_starts;

/// The README's programs are tests; one of them wants the feature.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/from-ants.md")]
pub mod guide_from_ants {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/scheduling.md")]
pub mod guide_scheduling {}
