//! Who searches, who sleeps, who is woken.
//!
//! The race is always the same. One side makes work visible and then looks whether somebody must be told; the other
//! says that it is going to sleep and then looks once more for work. Each side needs its two steps in this order for
//! everybody, which takes a `fence(SeqCst)` between them, and there is one on both sides:
//!
//! | one that brings work | one that goes to sleep | one that stops searching |
//! |---|---|---|
//! | P1 push the task | S1 [`Idle::announce`]: into the stack, into the census | F1 [`Idle::end_search`]: out of the census |
//! | P2 fence | S2 fence | F2 fence |
//! | P3 [`Idle::wants_help`]: look at the census | S3 look at every queue | F3 look at every queue |
//! | P4 [`Idle::recruit`] if nobody searches | S4 [`Idle::withdraw`] if there is work | F4 [`Idle::recruit`] if there is work |
//!
//! **No task is stranded.** The fences P2 and S2 have an order. If P2 is first, S3 sees the task. If S2 is first, P3
//! sees the sleeper and wakes it. The same holds for P2 and F2: a producer that finds somebody searching leaves the
//! task to it, and that worker, when it finds something else first, is either seen to have stopped or looks at the
//! queues after stopping. Only the last searcher must look, because any other leaves one behind that will.
//!
//! **Nothing is stranded on its way.** A worker that moves tasks from one queue to another does P2 to P4 for those that it
//! does not run at once: between the two queues, S3 and F3 cannot see them.
//!
//! **At most one wake-up is under way.** The one that wakes a sleeper, or starts a thread, counts it as searching in
//! the same step, under the lock. From then until that worker finds something, others see a searcher and wake nobody.
//! It then wakes the next itself, but only if there is work left, so one task wakes one worker.
//!
//! **Cold threads leave.** The stack gives the worker that slept last, so the bottom of it is never woken when there
//! is little to do, and expires. A worker that expires takes itself off the stack under the lock: either it is still
//! there, and nobody has counted on it, or it was popped, and then it has been woken and stays. Off the stack it counts
//! as searching until [`Idle::dismiss`], which is its F1: a task that was left to it in between is found by its F3.

//!
//! **Events are waited for.** In a pool with a [reactor](crate::Reactor) one sleeper holds it. It has a place of its own below
//! the stack, so that it is woken after all others. An event that it handles gives it work, and it leaves by itself, as in
//! S4, but not to search: it has what it needs, and does P2 to P4 for what it does not run at once. Then nobody waits
//! for events until some worker falls asleep, and each that does takes the reactor if it is free; but a closure may run
//! for long, so before one begins while the reactor is free, a sleeper is called to take it. That call and a worker on its
//! way to sleep must not miss each other: after S2 that one looks whether the reactor is free, too. And a worker that
//! leaves, to which the call may have been left, makes it again.

use crossbeam_utils::CachePadded;

use crate::parker::Parker;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::thread::processors;
use crate::sync::{Arc, Mutex};

/// The most threads that a pool can have.
pub(crate) const MAX_THREADS: usize = u16::MAX as usize - 1;

/// What all workers are doing, in one word, so that a look at it is of one instant.
///
/// | bits | |
/// |---|---|
/// | 0 to 15 | searching: looking for work and not yet asleep |
/// | 16 to 31 | sleeping: in the stack |
/// | 32 to 47 | live: all threads, those that are being started too |
/// | 48 to 63 | the most that may live |
///
/// `sleeping` and `live` change under the lock of the stack only.
#[derive(Clone, Copy)]
struct Census(u64);

const SEARCHING: u64 = 1;
const SLEEPING: u64 = 1 << 16;
const LIVE: u64 = 1 << 32;
const MAX_SHIFT: u32 = 48;

impl Census {
    fn field(self, shift: u32) -> usize {
        ((self.0 >> shift) & 0xffff) as usize
    }

    fn searching(self) -> usize {
        self.field(0)
    }

    fn sleeping(self) -> usize {
        self.field(16)
    }

    fn live(self) -> usize {
        self.field(32)
    }

    fn max(self) -> usize {
        self.field(MAX_SHIFT)
    }

    fn may_start(self) -> bool {
        self.live() < self.max()
    }
}

/// What became of a call for help.
#[derive(Debug)]
pub(crate) enum Recruit {
    /// This one slept and must be unparked; it counts as searching from now on.
    Wake(Arc<Parker>),
    /// A thread must be started; it counts as live and searching from now on.
    Start,
    /// Somebody searches already, or nobody is left.
    Nobody,
}

/// What became of a sleeper whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It is off the stack and counts as searching until it is dismissed.
    Leaves,
    /// It is among the fewest that must stay.
    Stays,
    /// It has been woken meanwhile and counts as searching.
    Woken,
}

#[derive(Debug)]
pub(crate) struct Idle {
    census: CachePadded<AtomicU64>,
    stack: Mutex<Stack>,
    /// The fewest that stay. Changed under the lock of the stack.
    fewest: AtomicUsize,
}

#[derive(Debug, Default)]
struct Stack {
    /// The newest sleeper on top.
    sleepers: Vec<Arc<Parker>>,
    /// The one that waits in the reactor: woken after all others, so that events go on being waited for.
    in_reactor: Option<Arc<Parker>>,
    /// Workers that have expired or are too many and still count as live, so that no two leave where only one may.
    leaving: usize,
}

impl Idle {
    pub(crate) fn new(min_threads: usize, max_threads: usize) -> Self {
        Self {
            census: CachePadded::new(AtomicU64::new((max_threads as u64) << MAX_SHIFT)),
            stack: Mutex::new(Stack::default()),
            fewest: AtomicUsize::new(min_threads),
        }
    }

    /// Changes how many threads there are: at least and at most.
    pub(crate) fn limit(&self, min_threads: usize, max_threads: usize) {
        let _stack = self.stack.lock();
        self.fewest.store(min_threads, Ordering::Relaxed);
        let max = self.look().max();
        self.change((max_threads as u64) << MAX_SHIFT, (max as u64) << MAX_SHIFT);
    }

    /// The fewest threads that stay, and the most that there may be.
    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.fewest(), self.look().max())
    }

    /// The fewest threads that stay.
    pub(crate) fn fewest(&self) -> usize {
        self.fewest.load(Ordering::Relaxed)
    }

    fn look(&self) -> Census {
        // Relaxed: where the order matters, a fence stands before the call.
        Census(self.census.load(Ordering::Relaxed))
    }

    fn change(&self, plus: u64, minus: u64) -> Census {
        // Relaxed: the word counts and carries no data, and the fences of the protocol order it.
        Census(
            self.census
                .fetch_add(plus.wrapping_sub(minus), Ordering::Relaxed),
        )
    }

    /// All threads, those that are being started too.
    pub(crate) fn live(&self) -> usize {
        self.look().live()
    }

    /// All threads, and those of them that have nothing to do, of one instant.
    pub(crate) fn threads(&self) -> (usize, usize) {
        let census = self.look();
        (census.live(), census.searching() + census.sleeping())
    }

    /// P3: whether work that was just pushed needs somebody. A fence stands before the call.
    pub(crate) fn wants_help(&self) -> bool {
        let census = self.look();
        census.searching() == 0 && (census.sleeping() > 0 || census.may_start())
    }

    /// P4 and F4: picks the one to help.
    pub(crate) fn recruit(&self) -> Recruit {
        let mut stack = self.stack.lock();
        let census = self.look();
        if census.searching() > 0 {
            return Recruit::Nobody;
        }
        if let Some(parker) = stack.pop() {
            self.change(SEARCHING, SLEEPING);
            return Recruit::Wake(parker);
        }
        if census.may_start() {
            self.change(LIVE + SEARCHING, 0);
            return Recruit::Start;
        }
        Recruit::Nobody
    }

    /// As `recruit`, but only one that sleeps and even if others search.
    pub(crate) fn recruit_sleeper(&self) -> Option<Arc<Parker>> {
        let mut stack = self.stack.lock();
        let parker = stack.pop();
        if parker.is_some() {
            self.change(SEARCHING, SLEEPING);
        }
        parker
    }

    /// Counts a thread that is going to be started whatever the others do; false if there are enough.
    pub(crate) fn enlist(&self) -> bool {
        let _stack = self.stack.lock();
        let may_start = self.look().may_start();
        if may_start {
            self.change(LIVE + SEARCHING, 0);
        }
        may_start
    }

    /// F1 for good: takes a searcher out of the census whose thread did not start, or is about to end. The caller then
    /// does F2 to F4.
    pub(crate) fn dismiss(&self, was_leaving: bool) {
        let mut stack = self.stack.lock();
        stack.leaving -= usize::from(was_leaving);
        self.change(0, LIVE + SEARCHING);
    }

    /// A worker that runs out of work begins to search, unless half of the threads do so already, or of the processors:
    /// those who search more than that only take them from the others.
    pub(crate) fn begin_search(&self) -> bool {
        let census = self.look();
        if 2 * census.searching() >= census.live().min(processors()) {
            return false;
        }
        self.change(SEARCHING, 0);
        true
    }

    /// Counts one that is about to leave as searching, until it is dismissed.
    pub(crate) fn count_as_searching(&self) {
        self.change(SEARCHING, 0);
    }

    /// F1: a searcher has found something. True if it was the last; it must then do F2 to F4.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        self.change(0, SEARCHING).searching() == 1
    }

    /// S1: into the stack, or into the place of the one in the reactor, which the caller holds. The caller then does S2 to
    /// S4. True if more live than may: it is to retire instead, for whoever made it so has woken those only that were
    /// asleep before.
    pub(crate) fn announce(&self, parker: &Arc<Parker>, searching: bool, in_reactor: bool) -> bool {
        let mut stack = self.stack.lock();
        if in_reactor {
            stack.in_reactor = Some(Arc::clone(parker));
        } else {
            stack.sleepers.push(Arc::clone(parker));
        }
        let census = self.change(SLEEPING, if searching { SEARCHING } else { 0 });
        census.live() - stack.leaving > census.max()
    }

    /// S4: out of the stack again, to search or to run what it has. False if somebody has popped it: then it counts
    /// as searching, and its parker has been notified or is about to be.
    pub(crate) fn withdraw(&self, parker: &Arc<Parker>, to_search: bool) -> bool {
        let mut stack = self.stack.lock();
        let found = stack.remove(parker);
        if found {
            self.change(if to_search { SEARCHING } else { 0 }, SLEEPING);
        }
        found
    }

    /// Whether more live than may.
    pub(crate) fn has_surplus(&self) -> bool {
        let census = self.look();
        census.live() > census.max()
    }

    /// A worker that is awake leaves, if more live than may. It then counts as searching until it is dismissed.
    pub(crate) fn retire(&self, searching: bool) -> bool {
        let mut stack = self.stack.lock();
        let census = self.look();
        let leaves = census.live() - stack.leaving > census.max();
        if leaves {
            stack.leaving += 1;
            self.change(if searching { 0 } else { SEARCHING }, 0);
        }
        leaves
    }

    /// The time of a sleeper is over: it leaves, if more than the fewest live.
    pub(crate) fn expire(&self, parker: &Arc<Parker>) -> Expiry {
        let mut stack = self.stack.lock();
        if self.look().live() - stack.leaving <= self.fewest() {
            return Expiry::Stays;
        }
        if !stack.remove(parker) {
            return Expiry::Woken;
        }
        stack.leaving += 1;
        self.change(SEARCHING, SLEEPING);
        Expiry::Leaves
    }

    /// Wakes everybody, to look whether the pool has ended, or whether they are too many.
    pub(crate) fn wake_all(&self) {
        let sleepers = {
            let mut stack = self.stack.lock();
            let mut sleepers = std::mem::take(&mut stack.sleepers);
            sleepers.extend(stack.in_reactor.take());
            let count = sleepers.len() as u64;
            self.change(SEARCHING * count, SLEEPING * count);
            sleepers
        };
        for parker in sleepers {
            parker.unpark();
        }
    }
}

impl Stack {
    fn pop(&mut self) -> Option<Arc<Parker>> {
        self.sleepers.pop().or_else(|| self.in_reactor.take())
    }

    fn remove(&mut self, parker: &Arc<Parker>) -> bool {
        let holder = self
            .in_reactor
            .take_if(|holder| Arc::ptr_eq(holder, parker));
        if holder.is_some() {
            return true;
        }
        // From the top: whoever withdraws came last, most often.
        let place = self
            .sleepers
            .iter()
            .rposition(|other| Arc::ptr_eq(other, parker));
        if let Some(place) = place {
            self.sleepers.remove(place);
        }
        place.is_some()
    }
}
