//! Where accepted tasks wait for a worker.
//!
//! Each lane has common queues, into which any thread may push, and one queue for each of the first workers, from which
//! the others steal: futures that the worker has woken, and closures that it has submitted or taken along. Closures of an
//! entrance with a priority of its own wait in the common queue of that priority only. Workers beyond [`LOCALS`] have no
//! queues: a pool with that many threads runs tasks that block, and a task that waits behind one that blocks is better
//! off where all workers look first.

mod own;
mod uses;

pub(crate) use own::Own;
use own::Stealers;
pub(crate) use uses::Uses;

use crate::lane::Lane;
use crate::priority::Priority;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Injector, Mutex, SWEEP_COMMON, Steal, figures};

/// The most local queues. A thief looks into each.
const LOCALS: usize = 64;

/// The most tasks that a worker takes out of a common queue at once.
const BATCH: usize = 32;

pub(crate) struct Queues<T> {
    uses: Uses,
    futures: Injector<T>,
    /// One for each priority.
    closures: [Injector<T>; 3],
    /// The first `claimed` of them have belonged to a worker.
    stealers: Box<[Stealers<T>]>,
    claimed: AtomicUsize,
    /// The local queues that no worker has now.
    vacant: Mutex<Vec<Own<T>>>,
    /// How many workers share what waits.
    workers: usize,
    /// Closures that were cancelled since the last sweep of the common queues.
    cancelled: figures::AtomicUsize,
}

impl<T> Queues<T> {
    pub(crate) fn new(max_threads: usize) -> Self {
        // One more than may be inside closures. Backwards, so that `pop` gives the lowest first.
        let vacant: Vec<_> = (0..(max_threads + 1).min(LOCALS))
            .rev()
            .map(Own::new)
            .collect();
        Self {
            uses: Uses::new(),
            futures: Injector::new(),
            closures: std::array::from_fn(|_| Injector::new()),
            stealers: vacant.iter().rev().map(Own::stealers).collect(),
            claimed: AtomicUsize::new(0),
            vacant: Mutex::new(vacant),
            workers: max_threads.min(LOCALS),
            cancelled: figures::AtomicUsize::new(0),
        }
    }

    /// Local queues for a worker that begins, if some are left.
    pub(crate) fn claim(&self) -> Option<Own<T>> {
        let mut vacant = self.vacant.lock();
        let own = vacant.pop()?;
        // Relaxed: a push to these queues comes after it, and the fences of the protocol in `idle` order that.
        if self.claimed.load(Ordering::Relaxed) <= own.index {
            self.claimed.store(own.index + 1, Ordering::Relaxed);
        }
        Some(own)
    }

    /// What thieves may look into.
    fn claimed(&self) -> &[Stealers<T>] {
        &self.stealers[..self.claimed.load(Ordering::Relaxed)]
    }

    /// The queues of a worker that ends. What is left there is for thieves, and for the next worker that has them.
    pub(crate) fn vacate(&self, own: Own<T>) {
        self.vacant.lock().push(own);
    }

    pub(crate) fn locals(&self) -> usize {
        self.stealers.len()
    }

    /// Which queues are in use. Workers skip the others.
    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    #[inline]
    pub(crate) fn push_future(&self, task: T) {
        self.uses.add(Uses::FUTURES);
        self.futures.push(task);
    }

    #[inline]
    pub(crate) fn push_closure(&self, task: T, priority: Priority) {
        self.closures[priority as usize].push(task);
    }

    /// Removes from a common queue the closures that `take` takes, if enough were cancelled. The others keep their order;
    /// a worker that looks meanwhile may find nothing. Returns whether a task was put back, of which it has to be notified.
    ///
    /// Without it, a submitter that cancels the oldest closure for each new one would fill the memory while all workers
    /// are busy.
    pub(crate) fn sweep(&self, priority: Priority, mut take: impl FnMut(T) -> Option<T>) -> bool {
        let queue = &self.closures[priority as usize];
        let cancelled = self.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        if cancelled < SWEEP_COMMON.max(queue.len() / 2) {
            return false;
        }
        self.cancelled.store(0, Ordering::Relaxed);
        let mut has_put_back = false;
        for _ in 0..queue.len() {
            let Some(task) = steal_one(queue) else { break };
            if let Some(task) = take(task) {
                queue.push(task);
                has_put_back = true;
            }
        }
        has_put_back
    }

    fn may_have(&self, lane: Lane) -> bool {
        lane == Lane::Closures || self.uses.includes(Uses::FUTURES)
    }

    /// Puts a task into a worker's own queue.
    #[inline]
    pub(crate) fn push_own(&self, own: &Own<T>, lane: Lane, task: T) {
        if lane == Lane::Futures {
            self.uses.add(Uses::FUTURES);
        }
        own.queue(lane).push(task);
    }

    /// The common queue of a lane from which batches are taken.
    fn shared(&self, lane: Lane) -> &Injector<T> {
        match lane {
            Lane::Futures => &self.futures,
            Lane::Closures => &self.closures[Priority::Normal as usize],
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
        steal_one(&self.closures[priority as usize])
    }

    /// The next task of a lane's common queue. With own queues the worker takes its share of the others along.
    pub(crate) fn take_common(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        let queue = self.shared(lane);
        if queue.is_empty() {
            return None;
        }
        let Some(own) = own else {
            return steal_one(queue);
        };
        repeat(|| queue.steal_batch_with_limit_and_pop(own.queue(lane), self.share(queue)))
    }

    /// A task of a lane out of another worker's queue.
    pub(crate) fn steal(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        if !self.may_have(lane) {
            return None;
        }
        let first = own.map_or(0, |own| own.index + 1);
        let (before, after) = self.claimed().split_at(first);
        let mut others = after.iter().chain(before);
        others.find_map(|stealers| stealers.steal(lane, own))
    }

    /// As `steal`, from the worker that has the local queues with this index.
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
        let waits = |priority: Priority| !self.closures[priority as usize].is_empty();
        if self.uses.includes(Uses::PRIORITIES) {
            Priority::ALL.into_iter().any(waits)
        } else {
            waits(Priority::Normal)
        }
    }

    /// Whether a task waits in a common queue.
    pub(crate) fn has_common_work(&self) -> bool {
        self.has_common_closures() || (self.may_have(Lane::Futures) && self.has_common_futures())
    }

    /// Whether a task waits anywhere in this lane. A task whose push has begun counts.
    pub(crate) fn has_work(&self, lane: Lane) -> bool {
        if !self.may_have(lane) {
            return false;
        }
        let common = match lane {
            Lane::Futures => self.has_common_futures(),
            Lane::Closures => self.has_common_closures(),
        };
        common
            || self
                .claimed()
                .iter()
                .any(|stealers| stealers.has_work(lane))
    }

    pub(crate) fn len(&self) -> usize {
        self.futures.len()
            + self.closures.iter().map(Injector::len).sum::<usize>()
            + self.claimed().iter().map(Stealers::len).sum::<usize>()
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
