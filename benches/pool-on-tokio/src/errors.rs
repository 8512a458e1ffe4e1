//! The errors and the figures of the pool.

use std::io;

use thiserror::Error;

/// The task panicked.
#[derive(Debug, Error)]
#[error("the task panicked")]
pub struct JoinError;

/// The runtime was not built.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct BuildError(#[from] io::Error);

/// Why no slot was reserved.
#[derive(Clone, Copy, Debug, Error)]
pub enum SlotError {
    /// No slot was free.
    #[error("the pool is full")]
    Full,
    /// The pool is closed.
    #[error("the pool is closed")]
    Closed,
}

/// Why a closure has no value.
#[derive(Clone, Copy, Debug, Error)]
pub enum RunError {
    /// It got no slot.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// It panicked.
    #[error("the task panicked")]
    Task,
}

/// Why a shutdown returned before the end of its pool.
#[derive(Debug)]
pub enum ShutdownError {
    /// Tasks were in flight when the deadline passed.
    Timeout(Box<Unfinished>),
    /// Never returned: tokio panics instead.
    FromWorker,
    /// Never returned: this pool cannot be reopened.
    Reopened,
}

/// What was left of a pool when its shutdown timed out.
#[derive(Debug)]
pub struct Unfinished {
    /// The pool's figures at that time.
    pub stats: Stats,
}

/// A snapshot of a pool. Figures that tokio does not have are 0.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of anthill's `Stats`")]
pub struct Stats {
    pub capacity: usize,
    pub in_flight: usize,
    pub running: usize,
    pub running_closures: usize,
    pub running_futures: usize,
    pub in_reactor: usize,
    pub queued: usize,
    pub queued_futures: usize,
    pub queued_high: usize,
    pub queued_normal: usize,
    pub queued_low: usize,
    pub waiting: usize,
    pub free: usize,
    pub threads: usize,
    pub idle_threads: usize,
    pub accepted: u64,
    pub completed: u64,
    pub panicked: u64,
    pub cancelled: u64,
    pub rejected_full: u64,
    pub rejected_closed: u64,
    pub rejected_timeout: u64,
    pub threads_started: u64,
    pub threads_expired: u64,
    pub wakeups: u64,
}
