//! A bounded worker pool that runs closures and futures on the same threads.
//!
//! A pool has a fixed number of *slots*, its *capacity*. A task takes a slot when it is accepted
//! and releases it when it ends, so queued and running tasks together never exceed the capacity.
//! When no slot is free, the submitter waits or is refused: that is back-pressure.
//!
//! Threads start when there is work and no idle worker, up to a limit, and exit after an idle time.
//! A task that panics ends alone and is reported.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use anthill::Pool;
//!
//! let pool = Pool::builder().capacity(1000).build()?;
//! let _guard = pool.shutdown_on_drop(); // `main` does not return before accepted tasks have ended
//! for n in 0..10_000 {
//!     pool.submit(move || println!("task {n}"))?; // blocks while 1000 tasks are in the pool
//! }
//! pool.spawn(async { println!("a future, on the same threads") })?;
//! # Ok(())
//! # }
//! ```
//!
//! **Everything that waits is a value.** A future awaits it; a thread calls its `.wait()`,
//! `.wait_timeout(d)` or `.wait_deadline(t)`. In a program with a tokio runtime, await:
//! `pool.run(f).await` is a bounded `spawn_blocking`. With the feature `tokio` the pool needs no
//! other runtime: see [`Builder::tokio`].
//!
//! # The API
//!
//! | | |
//! |---|---|
//! | [`Pool::builder`] | settings: capacity, threads, names, hooks, panic handler, reactor |
//! | [`Pool::submit`], [`Pool::spawn`] | a closure, a future; block the thread for a slot |
//! | [`Pool::submit_with_handle`], [`Pool::spawn_with_handle`] | the same, with a [`JoinHandle`] to the result |
//! | [`Pool::try_submit`], [`Pool::try_spawn`] | never block; return a refused task |
//! | [`Pool::run`] | a value: reserve a slot, run a closure, return its result |
//! | [`Pool::slot`], [`Pool::try_slot`] | a value, or at once: a [`Slot`], with a name and a time to expire for the task |
//! | [`Pool::slots`], [`Pool::try_slots`] | several slots for one task, for bounds in MiB or KiB |
//! | [`JoinHandle`] | a value: the result, the panic or the cancellation; cancels |
//! | [`Group`] | a value: the results of many handles in order; stops at the first error |
//! | [`Pool::map`] | an iterator or stream over results: lazy, ordered, bounded |
//! | [`Pool::scope`] | closures that borrow |
//! | [`Pool::strand`], [`Pool::strands`] | one task at a time and in order, also by key; the same calls |
//! | [`Pool::subpool`] | a second capacity on the same threads, with a priority and a share of them |
//! | [`MultiPool`] | several pools behind one handle; the same calls |
//! | [`Pool::set_capacity`], [`Pool::set_threads`] | resize while the pool runs |
//! | [`WorkerLocal`], [`worker_index`] | what belongs to one worker |
//! | [`Pool::stats`], [`Pool::times`] | figures |
//! | [`Pool::close`], [`Pool::discard`], [`Pool::reopen`] | accept no more tasks; drop tasks that have not begun; reopen |
//! | [`Pool::shutdown`], [`Pool::shutdown_on_drop`] | a value, or a guard: close and wait for the end |
//!
//! # Recipes
//!
//! A bounded `spawn_blocking`, in async code:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! let hash = pool.run(|| "expensive".len()).await?;
//! # assert_eq!(hash, 9);
//! # Ok(())
//! # }
//! ```
//!
//! A limit on concurrent handlers, such as connections:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().capacity(2).build()?;
//! # async fn accept() -> u32 { 7 }
//! # async fn handle(_: u32) {}
//! for _ in 0..10 {
//!     let slot = pool.slot().await?; // accept only if a slot is free
//!     let connection = accept().await;
//!     slot.spawn(async move { handle(connection).await });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Results in order:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! let mut squares = anthill::Group::new();
//! for n in 0..100_u64 {
//!     squares.push(pool.submit_with_handle(move || n * n)?);
//! }
//! assert_eq!(squares.wait().values()?[9], 81);
//! # Ok(())
//! # }
//! ```
//!
//! A job queue with back-pressure that drops jobs beyond the capacity:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! # let jobs = 0..10;
//! for job in jobs {
//!     if pool.try_submit(move || println!("job {job}")).is_err() {
//!         eprintln!("too busy for job {job}");
//!     }
//! }
//! # pool.shutdown().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! A timeout for each task:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # let pool = anthill::Pool::builder().build()?;
//! let answer = tokio::time::timeout(Duration::from_secs(1), pool.run(|| 6 * 7)).await;
//! # assert_eq!(answer??, 42);
//! # Ok(())
//! # }
//! ```
//!
//! Cancel a task that has not begun:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! let search = pool.submit_with_handle(|| "found")?;
//! if search.cancel() {
//!     println!("it never ran");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Report panics:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = anthill::Pool::builder()
//!     .panic_handler(|panic| eprintln!("{panic}"))
//!     .build()?;
//! # pool.shutdown().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! Shut down with a deadline:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # let pool = anthill::Pool::builder().build()?;
//! if let Err(late) = pool.shutdown().wait_timeout(Duration::from_secs(5)) {
//!     eprintln!("{late}"); // how many tasks are left, and the names of those that have one
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Run a refused task on the calling thread:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! let task = || println!("in the pool, or here");
//! pool.try_submit(task).unwrap_or_else(|refused| refused.into_task()());
//! # pool.shutdown().wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! One task at a time for each key:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = anthill::Pool::builder().build()?;
//! let accounts = pool.strands::<String>();
//! accounts.strand("alice").submit(|| println!("first"))?;
//! accounts.strand("alice").submit(|| println!("second"))?;
//! # pool.shutdown().wait()?;
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
//! A closure that blocks occupies a thread, so a pool needs as many threads as closures may block
//! at once. A suspended future holds a slot but no thread. Futures run even while closures occupy
//! every worker: the pool then starts one thread beyond `threads` for them. [`guide_scheduling`]
//! describes the order of tasks.
//!
//! # Panics
//!
//! A panic of a task is caught on the worker and counted. It goes to the task's [`JoinHandle`],
//! scope or map, otherwise to the [panic handler](Builder::panic_handler). Panics in a map are not
//! counted, because its items are not tasks of their own. This needs unwinding: a panic in a task
//! ends a program that is built with `panic = "abort"`.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tokio` | `Builder::tokio`: an idle worker drives tokio's sockets, timers and signals, which work in every task. Calls that would block a thread of tokio panic |
//! | `tuner` | module `tuner`: the capacity, or the threads, follow the load |
//! | `stream` | `Pool::map_stream`: a parallel map over a stream |
//! | `futures`, `hyper` | `futures::task::Spawn`, `hyper::rt::Executor` for [`Pool`] |
//! | `tower` | `PoolLayer`: requests run in a pool, and `poll_ready` reserves a slot |
//! | `metrics` | `Pool::publish_metrics` publishes the figures through the `metrics` facade |
//! | `tracing` | a span for each task, at level debug, with the names of the pool and the task; events for a task that expires and for a panic without a handler; the spans that tokio-console reads |
//!
//! No feature is on by default.
//!
//! [tokio-console](https://docs.rs/console-subscriber) shows the pool's tasks with the feature
//! `tracing`: name, kind (a closure is `blocking`), pool, polls, busy and idle time, wakes. Neither
//! the pool nor tokio needs `tokio_unstable`, but `console-subscriber` refuses to start unless the
//! program is built with `RUSTFLAGS="--cfg console_without_tokio_unstable"`. The spans are named
//! `runtime.spawn`, at level trace, of the target `anthill::task`. If no subscriber enables them,
//! a task costs one pointer and one check more.
//!
//! # What is model-checked
//!
//! The pool's protocols (slots, waiting, waking, expiry, close) are model-checked with loom on this
//! very code. The standard library, [crossbeam-deque](crossbeam_deque), [`parking_lot`],
//! [async-task](async_task) and tokio are trusted.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg(hide(anthill_loom, anthill_shuttle))))]
#![allow(
    unreachable_pub,
    reason = "what a folder does not re-export is private to it"
)]
#![cfg_attr(
    any(anthill_loom, anthill_shuttle),
    allow(rustdoc::broken_intra_doc_links, reason = "models link no parking_lot")
)]

mod adapters;
mod admission;
mod engine;
mod errors;
mod figures;
mod group;
mod join;
mod map;
mod multi;
mod pool;
mod scope;
mod strand;
mod submit;
mod sync;
mod task;
#[cfg(all(feature = "tuner", not(any(anthill_loom, anthill_shuttle))))]
pub mod tuner;
mod wait;

#[cfg(feature = "tower")]
pub use adapters::{PoolLayer, PoolResponse, PoolService};
pub use engine::Priority;
pub use errors::{
    BuildError, JoinError, ReopenError, RunError, ShutdownError, SlotError, SubmitError, Unfinished,
};
pub use figures::{Histogram, Stats, Times};
pub use group::{Group, GroupError, GroupResults};
pub use join::JoinHandle;
pub use map::Map;
#[cfg(feature = "stream")]
pub use map::MapStream;
pub use multi::{Balance, MultiPool};
pub use pool::{
    Builder, Pool, Shutdown, ShutdownOnDrop, SubpoolBuilder, WorkerLocal, worker_index,
};
pub use scope::Scope;
pub use strand::{Strand, Strands};
pub use submit::{Reserve, Run, Slot};
pub use task::TaskPanic;
pub use wait::Reactor;

#[cfg(any(anthill_loom, anthill_shuttle))]
#[doc(hidden)]
pub use sync::thread::{refuse_thread_starts, wake_early};

/// The examples of the README are tests; one of them needs the feature.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/from-ants.md")]
pub mod guide_from_ants {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/scheduling.md")]
pub mod guide_scheduling {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/from-tokio-and-rayon.md")]
pub mod guide_from_tokio_and_rayon {}
