//! The queues in which accepted tasks wait for a worker.
//!
//! Each lane has shared queues, to which any thread pushes. The first workers also have local
//! queues, from which other workers steal. A local queue holds futures that its worker woke, and
//! closures that it submitted or took in a batch. Closures of an entrance with its own priority
//! wait only in the shared queue of that priority.
//!
//! Workers beyond [`LOCALS`] have no local queues. A pool with as many threads runs tasks that
//! block, and a task queued behind a blocking task is found sooner in a shared queue.

mod own;
mod uses;

pub use own::Own;
use own::Stealers;
pub use uses::Uses;

use crate::engine::lane::Lane;
use crate::engine::priority::Priority;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Injector, Mutex, SWEEP_SHARED, Steal, figures};

/// The maximum of local queues. A thief checks each of them.
const LOCALS: usize = 64;

/// The maximum of tasks that a worker takes from a shared queue at once.
const BATCH: usize = 32;

pub struct Queues<T> {
    uses: Uses,
    futures: Injector<T>,
    /// One queue per priority.
    closures: [Injector<T>; 3],
    /// Only the first `claimed` entries have ever belonged to a worker.
    stealers: Box<[Stealers<T>]>,
    claimed: AtomicUsize,
    /// Local queues that no worker owns now.
    vacant: Mutex<Vec<Own<T>>>,
    /// The number of workers that share the tasks of a shared queue.
    workers: usize,
    /// Closures that were ended out of turn since the last sweep of the shared queues.
    spent: figures::AtomicUsize,
}

impl<T> Queues<T> {
    pub fn new(max_threads: usize) -> Self {
        // One more than the maximum of occupied workers. Reversed, so that `pop` returns the lowest
        // index.
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
            spent: figures::AtomicUsize::new(0),
        }
    }

    /// Returns local queues for a worker that starts, if any are left.
    pub fn claim(&self) -> Option<Own<T>> {
        let mut vacant = self.vacant.lock();
        let own = vacant.pop()?;
        // Relaxed: pushes to these queues come later, and the fences of the protocol in `idle`
        // order them.
        if self.claimed.load(Ordering::Relaxed) <= own.index {
            self.claimed.store(own.index + 1, Ordering::Relaxed);
        }
        Some(own)
    }

    /// Returns the queues that thieves check.
    fn claimed(&self) -> &[Stealers<T>] {
        &self.stealers[..self.claimed.load(Ordering::Relaxed)]
    }

    /// Takes back the queues of a worker that exits. Thieves, or the next owner, run the tasks left
    /// in them.
    pub fn vacate(&self, own: Own<T>) {
        self.vacant.lock().push(own);
    }

    pub fn locals(&self) -> usize {
        self.stealers.len()
    }

    /// Which kinds of queues are in use. Workers skip the rest.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    #[inline]
    pub fn push_future(&self, task: T) {
        self.uses.add(Uses::FUTURES);
        self.futures.push(task);
    }

    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub fn push_closure(&self, task: T, priority: Priority) {
        self.closures[priority as usize].push(task);
    }

    /// Counts closures that were ended out of turn. Once they may be half of the closures in the
    /// shared queues, pops each of those and pushes it back unless `take` consumes it. Returns
    /// whether a closure was pushed back; the caller must then notify.
    ///
    /// Other workers may see an empty queue meanwhile, and may take a closure whose predecessors
    /// are then pushed back behind it.
    pub fn sweep(&self, count: usize, mut take: impl FnMut(T) -> Option<T>) -> bool {
        let spent = self.spent.fetch_add(count, Ordering::Relaxed) + count;
        let len = || self.closures.iter().map(Injector::len).sum::<usize>();
        if spent < SWEEP_SHARED || spent < len() / 2 {
            return false;
        }
        self.spent.store(0, Ordering::Relaxed);
        let mut has_put_back = false;
        for queue in &self.closures {
            for _ in 0..queue.len() {
                let Some(task) = steal_one(queue) else { break };
                if let Some(task) = take(task) {
                    queue.push(task);
                    has_put_back = true;
                }
            }
        }
        has_put_back
    }

    fn may_have(&self, lane: Lane) -> bool {
        lane == Lane::Closures || self.uses.includes(Uses::FUTURES)
    }

    /// Pushes a task to a worker's local queue.
    #[inline]
    pub fn push_own(&self, own: &Own<T>, lane: Lane, task: T) {
        if lane == Lane::Futures {
            self.uses.add(Uses::FUTURES);
        }
        own.queue(lane).push(task);
    }

    /// Returns the shared queue from which workers take batches of a lane.
    fn shared(&self, lane: Lane) -> &Injector<T> {
        match lane {
            Lane::Futures => &self.futures,
            Lane::Closures => &self.closures[Priority::Normal as usize],
        }
    }

    /// Returns how many tasks a worker may take from a shared queue and still leave the other
    /// workers their share.
    fn share(&self, queue: &Injector<T>) -> usize {
        (queue.len() / self.workers + 1).min(BATCH)
    }

    /// Moves a batch from the shared queue of a lane to the end of a local queue.
    pub fn refill(&self, lane: Lane, own: &Own<T>) {
        let queue = self.shared(lane);
        let (dest, limit) = (own.queue(lane), self.share(queue));
        while let Steal::Retry = queue.steal_batch_with_limit(dest, limit) {}
    }

    /// Takes the next closure of a priority from its shared queue.
    pub fn take_prioritized(&self, priority: Priority) -> Option<T> {
        steal_one(&self.closures[priority as usize])
    }

    /// Takes the next task from the shared queue of a lane, and a batch along with it into `own`.
    pub fn take_shared(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        let queue = self.shared(lane);
        if queue.is_empty() {
            return None;
        }
        let Some(own) = own else {
            return steal_one(queue);
        };
        repeat(|| queue.steal_batch_with_limit_and_pop(own.queue(lane), self.share(queue)))
    }

    /// Steals a task of a lane from another worker's local queue.
    pub fn steal(&self, lane: Lane, own: Option<&Own<T>>) -> Option<T> {
        if !self.may_have(lane) {
            return None;
        }
        let first = own.map_or(0, |own| own.index + 1);
        let (before, after) = self.claimed().split_at(first);
        let mut others = after.iter().chain(before);
        others.find_map(|stealers| stealers.steal(lane, own))
    }

    /// Steals a task of a lane from the local queue with this index.
    pub fn steal_from(&self, index: usize, lane: Lane, own: &Own<T>) -> Option<T> {
        self.stealers[index].steal(lane, Some(own))
    }

    /// Takes a task from any queue, on behalf of a thread without local queues.
    pub fn take_any(&self) -> Option<T> {
        let future = || {
            let shared = self.take_shared(Lane::Futures, None);
            shared.or_else(|| self.steal(Lane::Futures, None))
        };
        let closure = || {
            let mut priorities = Priority::ALL.into_iter();
            let shared = priorities.find_map(|priority| self.take_prioritized(priority));
            shared.or_else(|| self.steal(Lane::Closures, None))
        };
        future().or_else(closure)
    }

    /// Returns whether a future waits in the shared queue.
    #[inline]
    pub fn has_shared_futures(&self) -> bool {
        !self.futures.is_empty()
    }

    /// Returns whether a closure waits in a shared queue.
    pub fn has_shared_closures(&self) -> bool {
        let waits = |priority: Priority| !self.closures[priority as usize].is_empty();
        if self.uses.includes(Uses::PRIORITIES) {
            Priority::ALL.into_iter().any(waits)
        } else {
            waits(Priority::Normal)
        }
    }

    /// Returns whether a task waits in a shared queue.
    pub fn has_shared_work(&self) -> bool {
        self.has_shared_closures() || (self.may_have(Lane::Futures) && self.has_shared_futures())
    }

    /// Returns whether a task of this lane waits in any queue. A task counts from the start of its
    /// push.
    pub fn has_work(&self, lane: Lane) -> bool {
        if !self.may_have(lane) {
            return false;
        }
        let shared = match lane {
            Lane::Futures => self.has_shared_futures(),
            Lane::Closures => self.has_shared_closures(),
        };
        shared
            || self
                .claimed()
                .iter()
                .any(|stealers| stealers.has_work(lane))
    }

    /// Returns how many futures wait, and how many closures of each priority, the highest first.
    pub fn lens(&self) -> (usize, [usize; 3]) {
        let local = |lane| {
            self.claimed()
                .iter()
                .map(move |own| own.len(lane))
                .sum::<usize>()
        };
        let shared = |priority: Priority| self.closures[priority as usize].len();
        let [high, normal, low] = Priority::ALL.map(shared);
        // Closures with a priority of their own wait in no local queue.
        let closures = [high, normal + local(Lane::Closures), low];
        (self.futures.len() + local(Lane::Futures), closures)
    }
}

/// Retries while other threads interfere.
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

#[cfg(all(test, not(anthill_loom)))]
mod tests;
