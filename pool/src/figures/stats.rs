//! The figures of a pool and the counters behind them.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::task::End;

/// A snapshot of a pool, from [`Pool::stats`](crate::Pool::stats).
///
/// `capacity`, `in_flight` and `free` belong to one instant. The other figures are read in turn
/// while the pool runs, so they may disagree by a few tasks.
///
/// A subpool has its own figures for slots and for waiting, accepted and rejected tasks. Figures
/// for threads, queues and ended tasks are those of the whole pool, because the entrances share
/// them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anthill::{Pool, Stats};
///
/// fn line(before: &Stats, now: &Stats) -> String {
///     let used = 100 * now.in_flight / now.capacity.max(1);
///     format!("{} done, {used} % of the slots taken", now.completed - before.completed)
/// }
///
/// let pool = Pool::builder().capacity(8).build()?;
/// let before = pool.stats();
/// pool.submit_with_handle(|| ())?.wait()?;
/// # pool.shutdown().wait()?;
/// println!("{}", line(&before, &pool.stats())); // each second, say
/// # assert_eq!(line(&before, &pool.stats()), "1 done, 0 % of the slots taken");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of slots.
    pub capacity: usize,
    /// Slots in use: by tasks from acceptance to their end, and by reserved slots.
    pub in_flight: usize,
    /// Tasks that workers run now: `running_closures` plus `running_futures`. A task counted here
    /// can no longer be cancelled before it begins.
    pub running: usize,
    /// Workers inside a closure, at most as many as [`Builder::threads`](crate::Builder::threads)
    /// allows.
    pub running_closures: usize,
    /// Workers polling a future.
    pub running_futures: usize,
    /// Workers waiting in the reactor: 1 or 0.
    pub in_reactor: usize,
    /// Tasks that are ready and wait for a worker: closures that have not begun, and woken futures.
    /// Tasks that wait in a strand, or beyond the [`threads`](crate::SubpoolBuilder::threads) of a
    /// subpool, do not count.
    pub queued: usize,
    /// Of `queued`: ready futures, which run before closures.
    pub queued_futures: usize,
    /// Of `queued`: closures of [high priority](crate::Priority::High).
    pub queued_high: usize,
    /// Of `queued`: closures of [normal priority](crate::Priority::Normal).
    pub queued_normal: usize,
    /// Of `queued`: closures of [low priority](crate::Priority::Low).
    pub queued_low: usize,
    /// Submitters waiting for a slot, threads and futures together.
    pub waiting: usize,
    /// Free slots.
    pub free: usize,
    /// Worker threads.
    pub threads: usize,
    /// Worker threads that are parked, including the one in the reactor. A worker that searches for
    /// work, or is starting, does not count.
    pub idle_threads: usize,
    /// Tasks accepted at this entrance since it was built.
    pub accepted: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks cancelled by their handle or group, and futures dropped before they completed.
    pub cancelled: u64,
    /// Tasks dropped by [`Pool::discard`](crate::Pool::discard).
    pub discarded: u64,
    /// Tasks dropped because they [expired](crate::Slot::expires_at) before they began.
    pub expired: u64,
    /// Panics in the panic handler and in thread hooks.
    pub handler_panics: u64,
    /// Submits refused because no slot was free, too many submitters waited for one, or the request
    /// exceeded the capacity.
    pub rejected_full: u64,
    /// Submits refused because the pool was closed.
    pub rejected_closed: u64,
    /// Submits that timed out.
    pub rejected_timeout: u64,
    /// Submits from a worker, refused because waiting for its own pool could deadlock.
    pub rejected_would_deadlock: u64,
    /// Threads started.
    pub threads_started: u64,
    /// Threads that retired after being idle for the idle expiry.
    pub threads_expired: u64,
    /// Failed attempts to start a thread.
    pub thread_start_failures: u64,
    /// Parked threads woken for work.
    pub wakeups: u64,
}

impl Stats {
    /// Adds two snapshots, field by field. An unlimited capacity stays unlimited.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            capacity: self.capacity.saturating_add(other.capacity),
            in_flight: self.in_flight + other.in_flight,
            running: self.running + other.running,
            running_closures: self.running_closures + other.running_closures,
            running_futures: self.running_futures + other.running_futures,
            in_reactor: self.in_reactor + other.in_reactor,
            queued: self.queued + other.queued,
            queued_futures: self.queued_futures + other.queued_futures,
            queued_high: self.queued_high + other.queued_high,
            queued_normal: self.queued_normal + other.queued_normal,
            queued_low: self.queued_low + other.queued_low,
            waiting: self.waiting + other.waiting,
            free: self.free.saturating_add(other.free),
            threads: self.threads + other.threads,
            idle_threads: self.idle_threads + other.idle_threads,
            accepted: self.accepted + other.accepted,
            completed: self.completed + other.completed,
            panicked: self.panicked + other.panicked,
            cancelled: self.cancelled + other.cancelled,
            discarded: self.discarded + other.discarded,
            expired: self.expired + other.expired,
            handler_panics: self.handler_panics + other.handler_panics,
            rejected_full: self.rejected_full + other.rejected_full,
            rejected_closed: self.rejected_closed + other.rejected_closed,
            rejected_timeout: self.rejected_timeout + other.rejected_timeout,
            rejected_would_deadlock: self.rejected_would_deadlock + other.rejected_would_deadlock,
            threads_started: self.threads_started + other.threads_started,
            threads_expired: self.threads_expired + other.threads_expired,
            thread_start_failures: self.thread_start_failures + other.thread_start_failures,
            wakeups: self.wakeups + other.wakeups,
        }
    }
}

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds one without an atomic add. Only one thread may write the counter, or counts are lost.
    fn add_exclusive(&self) {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count + 1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Submits refused, by reason.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    pub(crate) full: Counter,
    pub(crate) closed: Counter,
    pub(crate) timeout: Counter,
    pub(crate) would_deadlock: Counter,
}

/// Counts of tasks ended on one worker. Each worker has its own, so that counting causes no cache
/// traffic between cores.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Whether all threads without a tally of their own share this one.
    shared: bool,
    pub(crate) completed: Counter,
    pub(crate) panicked: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) discarded: Counter,
    pub(crate) expired: Counter,
    /// How often the worker has looked beyond its own queues. While this grows, no task blocks the
    /// worker.
    pub(crate) looks: Counter,
}

impl Tally {
    pub(crate) fn shared() -> Self {
        Self {
            shared: true,
            ..Self::default()
        }
    }

    /// Adds one to a counter. Only the worker that owns an unshared tally may call this, or counts
    /// are lost.
    #[inline]
    pub(crate) fn count(&self, counter_of: impl FnOnce(&Self) -> &Counter) {
        let counter = counter_of(self);
        if self.shared {
            counter.add();
        } else {
            counter.add_exclusive();
        }
    }

    /// Counts how a task ended.
    #[inline]
    pub(crate) fn count_end(&self, end: &End) {
        match end {
            End::Completed => self.count(|tally| &tally.completed),
            End::Cancelled => self.count(|tally| &tally.cancelled),
            End::Discarded => self.count(|tally| &tally.discarded),
            End::Expired => self.count(|tally| &tally.expired),
            End::Panicked(_) => self.count(|tally| &tally.panicked),
            End::Counted => {}
        }
    }
}

/// Events of the pool's threads.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    pub(crate) started: Counter,
    pub(crate) expired: Counter,
    pub(crate) start_failures: Counter,
    pub(crate) wakeups: Counter,
    pub(crate) handler_panics: Counter,
}
