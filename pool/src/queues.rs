//! Where accepted tasks wait for a worker.
//!
//! Each lane has common queues, into which any thread may push, and one queue for each of the first workers, from which
//! the others steal: futures that the worker has woken, and closures that it has submitted or taken along. Closures of an
//! entrance with a priority of its own wait in the common queue of that priority only. Workers beyond [`LOCALS`] have no
//! queues: a pool with that many threads runs tasks that block, and a task that waits behind one that blocks is better
//! off where all workers look first.

mod own;

pub(crate) use own::Own;
use own::Stealers;

use crate::lane::Lane;
use crate::priority::Priority;
use crate::sync::figures::{AtomicBool, Ordering};
use crate::sync::{Injector, Mutex, Steal};

/// The most local queues. A thief looks into each.
const LOCALS: usize = 64;

/// The most tasks that a worker takes out of a common queue at once.
const BATCH: usize = 32;

pub(crate) struct Queues<T> {
    futures: Injector<T>,
    closures: Injector<T>,
    high: Injector<T>,
    low: Injector<T>,
    /// Whether an entrance may push to `high` or `low`.
    has_priorities: AtomicBool,
    stealers: Box<[Stealers<T>]>,
    /// The local queues that no worker has now.
    vacant: Mutex<Vec<Own<T>>>,
    /// How many workers share what waits.
    workers: usize,
}

impl<T> Queues<T> {
    pub(crate) fn new(max_threads: usize) -> Self {
        // One more than may be inside closures. Backwards, so that `pop` gives the lowest first.
        let vacant: Vec<_> = (0..(max_threads + 1).min(LOCALS))
            .rev()
            .map(Own::new)
            .collect();
        Self {
            futures: Injector::new(),
            closures: Injector::new(),
            high: Injector::new(),
            low: Injector::new(),
            has_priorities: AtomicBool::new(false),
            stealers: vacant.iter().rev().map(Own::stealers).collect(),
            vacant: Mutex::new(vacant),
            workers: max_threads.min(LOCALS),
        }
    }

    /// Local queues for a worker that begins, if some are left.
    pub(crate) fn claim(&self) -> Option<Own<T>> {
        self.vacant.lock().pop()
    }

    /// The queues of a worker that ends. What is left there is for thieves, and for the next worker that has them.
    pub(crate) fn vacate(&self, own: Own<T>) {
        self.vacant.lock().push(own);
    }

    pub(crate) fn locals(&self) -> usize {
        self.stealers.len()
    }

    /// An entrance with this priority is about to be there.
    pub(crate) fn expect(&self, priority: Priority) {
        if priority != Priority::Normal {
            // Relaxed: it is seen by a worker that sees a push which comes after it.
            self.has_priorities.store(true, Ordering::Relaxed);
        }
    }

    /// Whether closures may wait at more than one priority.
    #[inline]
    pub(crate) fn has_priorities(&self) -> bool {
        self.has_priorities.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn push_future(&self, task: T) {
        self.futures.push(task);
    }

    #[inline]
    pub(crate) fn push_closure(&self, task: T, priority: Priority) {
        self.common(priority).push(task);
    }

    fn common(&self, priority: Priority) -> &Injector<T> {
        match priority {
            Priority::High => &self.high,
            Priority::Normal => &self.closures,
            Priority::Low => &self.low,
        }
    }

    /// The common queue of a lane from which batches are taken.
    fn shared(&self, lane: Lane) -> &Injector<T> {
        match lane {
            Lane::Futures => &self.futures,
            Lane::Closures => &self.closures,
        }
    }

    /// What a worker may take out of a common queue at once without leaving the others nothing.
    fn share(&self, queue: &Injector<T>) -> usize {
        (queue.len() / self.workers + 1).min(BATCH)
    }

    /// Moves a share of a lane's common queue to the end of an own one.
    pub(crate) fn refill(&self, lane: Lane, own: &Own<T>) {
        let queue = self.shared(lane);
        let (dest, limit) = (own.queue(lane), self.share(queue));
        while let Steal::Retry = queue.steal_batch_with_limit(dest, limit) {}
    }

    /// The next closure of a priority, from the common queue.
    pub(crate) fn take_prioritized(&self, priority: Priority) -> Option<T> {
        steal_one(self.common(priority))
    }

    /// The next task of a lane's common queue. With own queues the worker takes its share of the others along.
    pub(crate) fn take_common(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        let queue = self.shared(lane);
        let Some(own) = own else {
            return steal_one(queue);
        };
        repeat(|| queue.steal_batch_with_limit_and_pop(own.queue(lane), self.share(queue)))
    }

    /// A task of a lane out of another worker's queue.
    pub(crate) fn steal(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        let first = own.map_or(0, |own| own.index + 1);
        let (after, before) = (&self.stealers[first..], &self.stealers[..first]);
        let mut others = after.iter().chain(before);
        others.find_map(|stealers| stealers.steal(lane, own))
    }

    /// As `steal`, from the worker that had these local queues when the caller last looked at them.
    pub(crate) fn steal_from(&self, index: usize, lane: Lane, own: &Own<T>) -> Option<T> {
        self.stealers[index].steal(lane, Some(own))
    }

    /// A task from anywhere, for a thread without queues.
    pub(crate) fn take_any(&self) -> Option<T> {
        let future = || {
            let common = self.take_common(Lane::Futures, None);
            common.or_else(|| self.steal(Lane::Futures, None))
        };
        let closure = || {
            let mut priorities = Priority::ALL.into_iter();
            let common = priorities.find_map(|priority| self.take_prioritized(priority));
            common.or_else(|| self.steal(Lane::Closures, None))
        };
        future().or_else(closure)
    }

    /// Whether a future waits in the common queue.
    #[inline]
    pub(crate) fn has_common_futures(&self) -> bool {
        !self.futures.is_empty()
    }

    /// Whether a closure waits in a common queue.
    pub(crate) fn has_common_closures(&self) -> bool {
        !self.closures.is_empty()
            || (self.has_priorities() && !(self.high.is_empty() && self.low.is_empty()))
    }

    /// Whether a task waits anywhere in this lane. A task whose push has begun counts.
    pub(crate) fn has_work(&self, lane: Lane) -> bool {
        let common = match lane {
            Lane::Futures => self.has_common_futures(),
            Lane::Closures => self.has_common_closures(),
        };
        common || self.stealers.iter().any(|stealers| stealers.has_work(lane))
    }

    pub(crate) fn len(&self) -> usize {
        let common = [&self.futures, &self.closures, &self.high, &self.low];
        common.map(Injector::len).iter().sum::<usize>()
            + self.stealers.iter().map(Stealers::len).sum::<usize>()
    }
}

/// Tries again for as long as another thread interferes.
fn repeat<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

fn steal_one<T>(queue: &Injector<T>) -> Option<T> {
    repeat(|| queue.steal())
}
