//! What a pool is doing, in numbers.

use crate::end::End;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of a pool, from [`Pool::stats`](crate::Pool::stats).
///
/// `capacity`, `in_flight` and `free` are of one instant. The others are read one after the other, without stopping
/// the pool, and so may be a few tasks apart. For a subpool, everything about slots, waiting, accepted and rejected tasks
/// is its own; what is about threads, queues and ended tasks is the whole pool's, since these are shared.
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
    /// How many tasks may be in the pool at once.
    pub capacity: usize,
    /// Slots taken: tasks accepted and not yet ended, and slots held in reserve.
    pub in_flight: usize,
    /// Tasks that workers run right now: `running_closures` and `running_futures` together. A task that counts here
    /// can no longer be cancelled before it begins.
    pub running: usize,
    /// Workers inside a closure, at most as many as [`Builder::threads`](crate::Builder::threads) allows.
    pub running_closures: usize,
    /// Workers polling a future.
    pub running_futures: usize,
    /// Workers waiting in the reactor: 1 or 0.
    pub in_reactor: usize,
    /// Tasks that could run and wait for a worker: closures not begun, futures woken. Those that wait for others to end
    /// do not count: in a strand, or beyond the [`threads`](crate::SubpoolBuilder::threads) of a subpool.
    pub queued: usize,
    /// Submitters waiting for a slot, threads and futures.
    pub waiting: usize,
    /// Slots that are free.
    pub free: usize,
    /// Worker threads.
    pub threads: usize,
    /// Worker threads that are parked, in the reactor too. A thread that looks for work or starts is not one of them.
    pub idle_threads: usize,
    /// Tasks accepted at this entrance since it was built.
    pub accepted: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks cancelled by their handle or their group, and futures dropped before they were done.
    pub cancelled: u64,
    /// Tasks dropped by [`Pool::discard`](crate::Pool::discard).
    pub discarded: u64,
    /// Panic handlers and thread hooks that panicked themselves.
    pub handler_panics: u64,
    /// Submits refused because no slot was free, or too many were waiting for one.
    pub rejected_full: u64,
    /// Submits refused because the pool was closed.
    pub rejected_closed: u64,
    /// Submits whose time ran out.
    pub rejected_timeout: u64,
    /// Submits from a worker that would have had to wait for the worker's own pool.
    pub rejected_would_deadlock: u64,
    /// Threads started.
    pub threads_started: u64,
    /// Threads that ended because they had been idle for long enough.
    pub threads_expired: u64,
    /// Threads that the system refused to start.
    pub thread_start_failures: u64,
    /// Sleeping threads woken for work.
    pub wakeups: u64,
}

impl Stats {
    /// The sum, number by number. What is unlimited stays so.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            capacity: self.capacity.saturating_add(other.capacity),
            in_flight: self.in_flight + other.in_flight,
            running: self.running + other.running,
            running_closures: self.running_closures + other.running_closures,
            running_futures: self.running_futures + other.running_futures,
            in_reactor: self.in_reactor + other.in_reactor,
            queued: self.queued + other.queued,
            waiting: self.waiting + other.waiting,
            free: self.free.saturating_add(other.free),
            threads: self.threads + other.threads,
            idle_threads: self.idle_threads + other.idle_threads,
            accepted: self.accepted + other.accepted,
            completed: self.completed + other.completed,
            panicked: self.panicked + other.panicked,
            cancelled: self.cancelled + other.cancelled,
            discarded: self.discarded + other.discarded,
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

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// As `add`, where no two threads do it at once.
    fn add_alone(&self) {
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

/// Tasks ended on one worker. Each worker has its own, so that counting is no traffic between cores.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Whether it is that of all threads without one of their own.
    shared: bool,
    pub(crate) completed: Counter,
    pub(crate) panicked: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) discarded: Counter,
    /// How often the worker has looked beyond its own queues: as long as this grows, no task holds it up.
    pub(crate) looks: Counter,
}

impl Tally {
    pub(crate) fn shared() -> Self {
        Self {
            shared: true,
            ..Self::default()
        }
    }

    /// Counts an end. A tally that is not shared is that of the calling worker.
    #[inline]
    pub(crate) fn count(&self, ends: impl FnOnce(&Self) -> &Counter) {
        let counter = ends(self);
        if self.shared {
            counter.add();
        } else {
            counter.add_alone();
        }
    }

    /// Counts how a task ended.
    #[inline]
    pub(crate) fn count_end(&self, end: &End) {
        match end {
            End::Completed => self.count(|ends| &ends.completed),
            End::Cancelled => self.count(|ends| &ends.cancelled),
            End::Discarded => self.count(|ends| &ends.discarded),
            End::Panicked(_) => self.count(|ends| &ends.panicked),
            End::Counted => {}
        }
    }
}

/// What happened to threads.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    pub(crate) started: Counter,
    pub(crate) expired: Counter,
    pub(crate) start_failures: Counter,
    pub(crate) wakeups: Counter,
    pub(crate) handler_panics: Counter,
}
