//! Who searches, who sleeps, who is woken.
//!
//! The race is always the same. One side makes work visible and then looks whether a worker must be woken; the other
//! announces its sleep and then looks once more for work. Each side needs its two steps in this order for all others,
//! which takes a `fence(SeqCst)` between them on both sides:
//!
//! | a producer | a worker that goes to sleep | a worker that stops searching |
//! |---|---|---|
//! | P1 push the task | S1 [`Idle::announce`]: into the stack, into the census | F1 [`Idle::end_search`]: out of the census |
//! | P2 fence | S2 fence | F2 fence |
//! | P3 [`Idle::wants_help`]: look at the census | S3 look at every queue | F3 look at every queue |
//! | P4 [`Idle::recruit`] if none searches | S4 [`Idle::withdraw`] if there is work | F4 [`Idle::recruit`] if there is work |
//!
//! **No task is stranded.** The fences P2 and S2 have an order. If P2 is first, S3 sees the task. If S2 is first, P3
//! sees the sleeper and wakes it. The same holds for P2 and F2: a producer that sees a searcher leaves the task to it,
//! and that worker, when it finds another task first, is either seen to have stopped or looks at the queues after
//! stopping. Only the last searcher must look, because any other leaves a searcher behind.
//!
//! **Nothing is stranded on its way.** A worker that moves tasks from one queue to another does P2 to P4 for those that
//! it does not run at once: between the two queues, S3 and F3 cannot see them.
//!
//! **At most one wake-up is under way.** Waking a sleeper, or starting a thread, counts it as searching in the same
//! step, under the lock. From then until that worker finds something, producers see a searcher and wake no other. It
//! then wakes the next itself, but only if there is work left, so one task wakes one worker.
//!
//! **Closures do not keep futures waiting.** At most `max` workers are *occupied*, that is, run closures. A worker
//! occupies itself before it takes its first closure ([`Idle::occupy`]) and stays so until it sleeps or polls futures
//! alone. Then it does O2 fence, O3 look at the queues of futures and at the reactor, O4 [`Idle::recruit`] if there is
//! something and every worker that is awake is occupied. A producer of a future does P1 to P4 with the same question.
//! The fences P2 and O2 have an order: either O3 sees the future, or P3 sees that all are occupied. If no sleeper is
//! left, one thread beyond `max` is started, which can never occupy itself while the others do. It stays, mostly in the
//! reactor, until it expires, so that short closures start no thread each.
//!
//! **A closure left to occupied workers is run.** A producer that sees `max` occupied wakes none, and a worker that
//! cannot occupy itself sleeps beside waiting closures. An occupied worker stops being so on its way to sleep, by S1, and
//! then its S3 sees the closure; or by [`Idle::vacate`] while it polls futures, and then it looks for closures itself.
//!
//! **Cold threads leave.** The stack gives the worker that slept last, so the bottom of it is never woken when there
//! is little to do, and expires. A worker that expires takes itself off the stack under the lock: either it is still
//! there, and no producer has counted on it, or it was popped, and then it has been woken and stays. Off the stack it
//! counts as searching until [`Idle::dismiss`], which is its F1: a task that was left to it is found by its F3.
//!
//! **Events are waited for.** In a pool with a [reactor](crate::Reactor) one sleeper holds it. It has a place of its own
//! below the stack, so that it is woken after all others. An event that it handles gives it work, and it leaves by
//! itself, as in S4, but not to search: it has what it needs, and does P2 to P4 for what it does not run at once. Then
//! the reactor is free until some worker falls asleep; each that does takes it. O3 covers the case that all become
//! occupied before: the recruit finds nothing to do and takes the reactor. A recruit and a worker on its way to sleep
//! must not miss each other: after S2 a worker looks whether the reactor is free, too. And a worker that leaves, to which
//! the reactor may have been left, does O2 to O4 again.

mod census;
mod stack;

use crossbeam_utils::CachePadded;

use crate::lane::Lane;
use crate::parker::Parker;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::thread::processors;
use crate::sync::{Arc, Mutex};
pub(crate) use census::MAX_THREADS;
use census::{Census, LIVE, OCCUPIED, SEARCHING, SLEEPING};
use stack::Stack;

/// What became of a request for help.
#[derive(Debug)]
pub(crate) enum Recruit {
    /// This one slept and must be unparked; it counts as searching from now on.
    Wake(Arc<Parker>),
    /// A thread must be started; it counts as live and searching from now on.
    Start,
    /// A worker searches already, or none is left.
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
    /// The most that may be inside closures at once. Changed under the lock of the stack.
    max: AtomicUsize,
    /// A hint that more live than may. Changed under the lock of the stack.
    surplus: AtomicBool,
}

/// How the census counts a worker that is awake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awake {
    pub(crate) searching: bool,
    pub(crate) occupied: bool,
}

impl Awake {
    fn counts(self) -> u64 {
        let count = |counted, unit| if counted { unit } else { 0 };
        count(self.searching, SEARCHING) + count(self.occupied, OCCUPIED)
    }
}

impl Idle {
    pub(crate) fn new(min_threads: usize, max_threads: usize) -> Self {
        Self {
            census: CachePadded::new(AtomicU64::new(0)),
            stack: Mutex::new(Stack::default()),
            fewest: AtomicUsize::new(min_threads),
            max: AtomicUsize::new(max_threads),
            surplus: AtomicBool::new(false),
        }
    }

    /// Changes how many threads there are: at least and at most.
    pub(crate) fn limit(&self, min_threads: usize, max_threads: usize) {
        let mut stack = self.stack.lock();
        self.fewest.store(min_threads, Ordering::Relaxed);
        self.max.store(max_threads, Ordering::Relaxed);
        self.note_count(&mut stack);
    }

    /// The fewest threads that stay, and the most that may be inside closures at once.
    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.fewest(), self.max())
    }

    /// The fewest threads that stay.
    pub(crate) fn fewest(&self) -> usize {
        self.fewest.load(Ordering::Relaxed)
    }

    fn max(&self) -> usize {
        // Relaxed: where the order matters, a fence or the lock of the stack stands before the call.
        self.max.load(Ordering::Relaxed)
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

    /// All threads, and those of them that sleep, of one instant.
    pub(crate) fn threads(&self) -> (usize, usize) {
        let census = self.look();
        (census.live(), census.sleeping())
    }

    /// P3: whether work that was just pushed needs another worker. A fence stands before the call.
    pub(crate) fn wants_help(&self, lane: Lane) -> bool {
        self.look().wants_help(lane, self.max())
    }

    /// P4, O4 and F4: picks the worker to help. `wants_help` said so just before.
    #[inline]
    pub(crate) fn recruit(&self, lane: Lane) -> Recruit {
        self.recruit_by(lane, Stack::pop)
    }

    /// As `recruit`, for a caller that is itself the sleeper in the reactor, and so is not picked.
    pub(crate) fn recruit_other(&self, lane: Lane) -> Recruit {
        self.recruit_by(lane, |stack| stack.sleepers.pop())
    }

    #[expect(
        clippy::inline_always,
        reason = "every submit to a sleeping pool takes this way"
    )]
    #[inline(always)]
    fn recruit_by(
        &self,
        lane: Lane,
        pop: impl FnOnce(&mut Stack) -> Option<Arc<Parker>>,
    ) -> Recruit {
        let mut stack = self.stack.lock();
        let census = self.look();
        if census.searching() > 0 {
            return Recruit::Nobody;
        }
        if let Some(parker) = pop(&mut stack) {
            self.change(SEARCHING, SLEEPING);
            return Recruit::Wake(parker);
        }
        let max = self.max();
        if census.may_start(lane, max, stack.has_extra) {
            stack.has_extra |= census.live() >= max;
            self.change(LIVE + SEARCHING, 0);
            return Recruit::Start;
        }
        Recruit::Nobody
    }

    /// As `recruit`, but picks a sleeper only, even if others search.
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
        let may_start = self.live() < self.max();
        if may_start {
            self.change(LIVE + SEARCHING, 0);
        }
        may_start
    }

    /// F1 for good: takes a searcher out of the census whose thread did not start, or is about to exit. The caller then
    /// does F2 to F4.
    pub(crate) fn dismiss(&self, was_leaving: bool) {
        let mut stack = self.stack.lock();
        stack.leaving -= usize::from(was_leaving);
        self.change(0, LIVE + SEARCHING);
        self.note_count(&mut stack);
    }

    /// Whether every thread is dismissed. What each did before that has happened before this returns true.
    pub(crate) fn is_deserted(&self) -> bool {
        self.live() == 0 && {
            let _stack = self.stack.lock();
            self.live() == 0
        }
    }

    /// A worker that runs out of work begins to search, unless half of the threads do so already, or of the processors:
    /// more searchers only take processors from the others.
    #[must_use]
    pub(crate) fn begin_search(&self) -> bool {
        let census = self.look();
        if 2 * census.searching() >= census.live().min(processors()) {
            return false;
        }
        self.change(SEARCHING, 0);
        true
    }

    /// F1: a searcher has found something. True if it was the last; it must then do F2 to F4.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        self.change(0, SEARCHING).searching() == 1
    }

    /// O1: the caller is about to run closures, if fewer than `max` workers do. It then does O2 to O4.
    #[must_use]
    pub(crate) fn occupy(&self) -> bool {
        let mut census = self.look();
        loop {
            if census.occupied() >= self.max() {
                return false;
            }
            // Relaxed: as for `change`.
            let occupied = self.census.compare_exchange_weak(
                census.0,
                census.0 + OCCUPIED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match occupied {
                Ok(_) => return true,
                Err(now) => census = Census(now),
            }
        }
    }

    /// As `occupy`, for a worker whose task runs a closure in its own place, however many others do.
    pub(crate) fn occupy_in_place(&self) {
        self.change(OCCUPIED, 0);
    }

    /// The caller no longer runs closures, but goes on to look for some.
    pub(crate) fn vacate(&self) {
        self.change(0, OCCUPIED);
    }

    /// Whether a worker that is not occupied may occupy itself.
    pub(crate) fn may_occupy(&self) -> bool {
        self.look().occupied() < self.max()
    }

    /// S1: into the stack, or into the place of the worker in the reactor, which the caller holds. The caller then does
    /// S2 to S4. True if more live than may: it is to retire instead, because only workers that were asleep before are
    /// woken when the limit changes.
    pub(crate) fn announce(&self, parker: &Arc<Parker>, was: Awake, in_reactor: bool) -> bool {
        let mut stack = self.stack.lock();
        if in_reactor {
            stack.in_reactor = Some(Arc::clone(parker));
        } else {
            stack.sleepers.push(Arc::clone(parker));
        }
        self.change(SLEEPING, was.counts());
        self.is_too_many(&stack, false)
    }

    /// S4: out of the stack again, to search or to run what it has. False if another thread has popped it: then it
    /// counts as searching, and its parker has been notified or is about to be.
    pub(crate) fn withdraw(&self, parker: &Arc<Parker>, to_search: bool) -> bool {
        let mut stack = self.stack.lock();
        let found = stack.remove(parker);
        if found {
            self.change(if to_search { SEARCHING } else { 0 }, SLEEPING);
        }
        found
    }

    /// A hint that more live than may.
    pub(crate) fn has_surplus(&self) -> bool {
        self.surplus.load(Ordering::Relaxed)
    }

    /// Notes how many live, and how many of them are to leave, after a change of either.
    fn note_count(&self, stack: &mut Stack) {
        let (census, max) = (self.look(), self.max());
        // Where all that are left are occupied, the thread for futures has left, even if more than `max` remain.
        stack.has_extra &= census.live() > max && census.live() > census.occupied();
        let most = max + usize::from(stack.has_extra);
        self.surplus.store(census.live() > most, Ordering::Relaxed);
    }

    /// Whether a worker is to leave because more live than may. The only one that is not occupied stays for the futures.
    fn is_too_many(&self, stack: &Stack, occupied: bool) -> bool {
        let census = self.look();
        let live = census.live() - stack.leaving;
        let is_last = stack.has_extra && !occupied && census.occupied() + 1 >= live;
        live > self.max() + usize::from(stack.has_extra) && !is_last
    }

    /// A worker that is awake leaves, if more live than may. It then counts as searching until it is dismissed.
    pub(crate) fn retire(&self, was: Awake) -> bool {
        let mut stack = self.stack.lock();
        let leaves = self.is_too_many(&stack, was.occupied);
        if leaves {
            stack.leaving += 1;
            self.change(SEARCHING, was.counts());
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

    /// Wakes all sleepers, to look whether the pool has ended, or whether they are too many.
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
