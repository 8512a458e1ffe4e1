//! Decides which workers search, sleep and wake up.
//!
//! A producer makes work visible, then checks whether to wake a worker. A worker announces its
//! sleep, then checks for work. All threads must see the two steps of a side in this order, so each
//! side puts a `fence(SeqCst)` between them:
//!
//! | producer | worker going to sleep | worker ending a search |
//! |---|---|---|
//! | P1 push the task | S1 [`Idle::announce`] | F1 [`Idle::end_search`] |
//! | P2 fence | S2 fence | F2 fence |
//! | P3 [`Idle::wants_help`]: read the census | S3 check every queue | F3 check every queue |
//! | P4 [`Idle::recruit`] if none searches | S4 [`Idle::withdraw`] on work | F4 [`Idle::recruit`] |
//!
//! **No task is stranded.** The fences P2 and S2 are ordered. If P2 is first, S3 sees the task. If
//! S2 is first, P3 sees the sleeper and wakes it. P2 and F2 are ordered likewise. A producer that
//! sees a searching worker leaves the task to it. If that worker finds another task first, either
//! P3 sees that its search ended, or F3 sees the task. Only the last searching worker needs F3.
//!
//! **No task in transit is missed.** S3 and F3 cannot see a task between two queues. A worker that
//! moves tasks between queues therefore does P2 to P4 for the tasks that it does not run at once.
//!
//! **At most one wake-up is in progress.** Waking a sleeper or starting a thread counts it as
//! searching in the same step, under the lock. Until that worker finds a task, producers see a
//! searching worker and wake no other. It then wakes the next worker only if work is left, so one
//! task wakes one worker.
//!
//! **Closures do not delay futures.** At most `max` workers are *occupied*, which means that they
//! run closures. O1: a worker occupies itself before it takes its first closure ([`Idle::occupy`]).
//! It stays occupied until it sleeps or polls only futures. Then come O2 fence, O3 check the future
//! queues and the reactor, O4 [`Idle::recruit`] if there is work and every awake worker is
//! occupied. A producer of a future does P1 to P4 with the same condition. The fences P2 and O2 are
//! ordered: either O3 sees the future, or P3 sees that all are occupied. If no worker sleeps, one
//! thread beyond `max` is started, which cannot occupy itself while `max` others are occupied. It
//! stays until it expires, or each short closure would start a thread. While more than `max` workers
//! are awake and two of them are free, a free worker sleeps despite waiting futures and events: S3
//! counts these only if [`Idle::wants_poller`]. The free worker that stays awake runs them, or finds
//! them in its O3 or S3.
//!
//! **Closures left to occupied workers run.** A producer that sees `max` occupied workers wakes
//! none. A worker that cannot occupy itself sleeps despite waiting closures. An occupied worker
//! gives up its occupancy by S1, and then its S3 sees the closure. Or it calls [`Idle::vacate`]
//! while it polls futures, and then it looks for closures itself.
//!
//! **Cold threads exit.** The stack yields the worker that slept last, so under low load the
//! workers at its bottom expire. A worker that expires removes itself from the stack under the
//! lock. If it was still there, no producer counts on it. If a producer had popped it, it has been
//! woken and stays. A removed worker counts as searching until [`Idle::dismiss`], its F1; its F3
//! finds the tasks left to it.
//!
//! **One worker waits for events.** In a pool with a [reactor](crate::Reactor) one sleeper holds
//! the reactor. Its place is below the stack, so it is woken last. An event that it handles can
//! give it tasks. It then leaves as in S4 without searching, and does P2 to P4 for the tasks that
//! it does not run at once. The reactor is then free until another worker falls asleep and takes
//! it. If all workers become occupied first, O3 sees the free reactor, and the recruited worker
//! finds no task and takes the reactor. A worker going to sleep checks after S2 whether the reactor
//! is free, or it and a recruit could miss each other. A worker that exits repeats O2 to O4,
//! because the reactor may have been left to it.

mod census;
mod queries;
mod stack;

use crossbeam_utils::CachePadded;

use crate::engine::lane::Lane;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::thread::processors;
use crate::sync::{Arc, Mutex};
use crate::wait::Parker;
pub use census::{Awake, MAX_THREADS};
use census::{Census, LIVE, OCCUPIED, SEARCHING, SLEEPING};
use stack::Stack;

/// How [`Idle::recruit`] answers a request for help.
#[derive(Debug)]
pub enum Recruit {
    /// Unpark this sleeper; it counts as searching from now on.
    Wake(Arc<Parker>),
    /// Start a thread; it counts as live and searching from now on.
    Start,
    /// A worker searches already, or no worker is available.
    None,
}

/// What happens to a sleeper whose deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is off the stack and counts as searching until it is dismissed.
    Leaves,
    /// It stays, because the pool is at its minimum of threads.
    Stays,
    /// Another thread has popped it, and it counts as searching.
    Woken,
}

#[derive(Debug)]
pub struct Idle {
    census: CachePadded<AtomicU64>,
    stack: Mutex<Stack>,
    /// The minimum of threads. Written under the stack lock.
    fewest: AtomicUsize,
    /// The maximum of occupied workers. Written under the stack lock.
    max: AtomicUsize,
    /// A hint that too many threads are live. Written under the stack lock.
    surplus: AtomicBool,
}

impl Idle {
    pub fn new(min_threads: usize, max_threads: usize) -> Self {
        Self {
            census: CachePadded::new(AtomicU64::new(0)),
            stack: Mutex::new(Stack::default()),
            fewest: AtomicUsize::new(min_threads),
            max: AtomicUsize::new(max_threads),
            surplus: AtomicBool::new(false),
        }
    }

    /// Sets the minimum and the maximum of threads.
    pub fn limit(&self, min_threads: usize, max_threads: usize) {
        let mut stack = self.stack.lock();
        self.fewest.store(min_threads, Ordering::Relaxed);
        self.max.store(max_threads, Ordering::Relaxed);
        self.update_surplus(&mut stack);
    }

    fn max(&self) -> usize {
        // Relaxed: where order matters, the caller has a fence or the stack lock.
        self.max.load(Ordering::Relaxed)
    }

    fn load(&self) -> Census {
        // Relaxed: where order matters, a fence precedes the call.
        Census(self.census.load(Ordering::Relaxed))
    }

    fn update(&self, plus: u64, minus: u64) -> Census {
        // Relaxed: the word only counts, and the fences of the protocol order it.
        Census(
            self.census
                .fetch_add(plus.wrapping_sub(minus), Ordering::Relaxed),
        )
    }

    /// F4: picks a worker to help, after `wants_help` returned true and a queue had work. Also
    /// starts a thread in an ended pool, or entries of cancelled closures stay in the queues.
    pub fn recruit(&self, lane: Lane) -> Recruit {
        self.recruit_by(lane, || false, Stack::pop)
    }

    /// P4, O4: picks a worker to help, after `wants_help` returned true. Starts no thread if the
    /// pool has ended.
    #[inline]
    pub fn recruit_unless(&self, lane: Lane, has_ended: impl FnOnce() -> bool) -> Recruit {
        self.recruit_by(lane, has_ended, Stack::pop)
    }

    /// Picks a worker other than the sleeper in the reactor, which is the caller. It is live, so a
    /// shutdown also waits for a thread that it starts.
    pub fn recruit_other(&self, lane: Lane) -> Recruit {
        self.recruit_by(lane, || false, |stack| stack.sleepers.pop())
    }

    #[expect(
        clippy::inline_always,
        reason = "on the path of row `submit-to-sleeper` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    fn recruit_by(
        &self,
        lane: Lane,
        has_ended: impl FnOnce() -> bool,
        pop: impl FnOnce(&mut Stack) -> Option<Arc<Parker>>,
    ) -> Recruit {
        let mut stack = self.stack.lock();
        let census = self.load();
        if census.searching() > 0 {
            return Recruit::None;
        }
        if let Some(parker) = pop(&mut stack) {
            self.update(SEARCHING, SLEEPING);
            return Recruit::Wake(parker);
        }
        let max = self.max();
        // Under the lock: `is_deserted` either counts the thread, or ran after the end of the pool
        // and before this.
        if census.may_start(lane, max, stack.has_extra) && !has_ended() {
            stack.has_extra |= census.live() >= max;
            self.update(LIVE + SEARCHING, 0);
            return Recruit::Start;
        }
        Recruit::None
    }

    /// Picks a sleeper, even if other workers search.
    pub fn recruit_sleeper(&self) -> Option<Arc<Parker>> {
        let mut stack = self.stack.lock();
        let parker = stack.pop();
        if parker.is_some() {
            self.update(SEARCHING, SLEEPING);
        }
        parker
    }

    /// Counts a thread that the caller then starts. Returns false if there are enough, or if the
    /// pool has ended.
    pub fn enlist(&self, has_ended: impl FnOnce() -> bool) -> bool {
        let _stack = self.stack.lock();
        let may_start = self.live() < self.max() && !has_ended();
        if may_start {
            self.update(LIVE + SEARCHING, 0);
        }
        may_start
    }

    /// F1 for a searching worker whose thread failed to start or is about to exit. The caller then
    /// does F2 to F4.
    pub fn dismiss(&self, was_leaving: bool) {
        let mut stack = self.stack.lock();
        stack.leaving -= usize::from(was_leaving);
        self.update(0, LIVE + SEARCHING);
        self.update_surplus(&mut stack);
    }

    /// Returns whether every thread is dismissed. All they did before happens before a return of
    /// true.
    pub fn is_deserted(&self) -> bool {
        self.live() == 0 && {
            let _stack = self.stack.lock();
            self.live() == 0
        }
    }

    /// Starts a search, unless enough workers search already.
    #[must_use]
    pub fn begin_search(&self) -> bool {
        let may_search = self.load().may_search(processors());
        if may_search {
            self.update(SEARCHING, 0);
        }
        may_search
    }

    /// F1: ends a search that found a task. On true it was the last one, and the caller does F2 to
    /// F4.
    #[must_use]
    pub fn end_search(&self) -> bool {
        self.update(0, SEARCHING).searching() == 1
    }

    /// O1: counts the caller as occupied if fewer than `max` workers are. It then does O2 to O4.
    #[must_use]
    pub fn occupy(&self) -> bool {
        let mut census = self.load();
        loop {
            if census.occupied() >= self.max() {
                return false;
            }
            // Relaxed: see `update`.
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

    /// Counts a worker as occupied without a limit, because its task runs a closure in place.
    pub fn occupy_in_place(&self) {
        self.update(OCCUPIED, 0);
    }

    /// Ends the occupancy of the caller, which keeps looking for closures.
    pub fn vacate(&self) {
        self.update(0, OCCUPIED);
    }

    /// S1: adds the caller to the stack, or as the sleeper in the reactor that it holds. The caller
    /// then does S2 to S4. Returns true if too many threads are live: the caller must then retire,
    /// because a lower limit wakes only workers that sleep already.
    pub fn announce(&self, parker: &Arc<Parker>, was: Awake, in_reactor: bool) -> bool {
        let mut stack = self.stack.lock();
        if in_reactor {
            stack.in_reactor = Some(Arc::clone(parker));
        } else {
            stack.sleepers.push(Arc::clone(parker));
        }
        self.update(SLEEPING, was.counts());
        self.exceeds_limit(&stack, false)
    }

    /// S4: removes the caller from the stack, to search or to run the tasks it has. Returns false
    /// if another thread popped it: it counts as searching, and a notification has arrived or is
    /// about to.
    pub fn withdraw(&self, parker: &Arc<Parker>, to_search: bool) -> bool {
        let mut stack = self.stack.lock();
        let found = stack.remove(parker);
        if found {
            self.update(if to_search { SEARCHING } else { 0 }, SLEEPING);
        }
        found
    }

    /// Updates the surplus hint after a change of `live` or of a limit.
    fn update_surplus(&self, stack: &mut Stack) {
        let (census, max) = (self.load(), self.max());
        // If all remaining workers are occupied, the extra thread for futures has exited, even if
        // more than `max` remain.
        stack.has_extra &= census.live() > max && census.live() > census.occupied();
        let most = max + usize::from(stack.has_extra);
        self.surplus.store(census.live() > most, Ordering::Relaxed);
    }

    /// Returns whether a worker must retire. The only unoccupied worker stays for the futures.
    fn exceeds_limit(&self, stack: &Stack, occupied: bool) -> bool {
        let census = self.load();
        let live = census.live() - stack.leaving;
        let is_last = stack.has_extra && !occupied && census.occupied() + 1 >= live;
        live > self.max() + usize::from(stack.has_extra) && !is_last
    }

    /// Retires an awake worker if too many are live. It counts as searching until it is dismissed.
    pub fn retire(&self, was: Awake) -> bool {
        let mut stack = self.stack.lock();
        let leaves = self.exceeds_limit(&stack, was.occupied);
        if leaves {
            stack.leaving += 1;
            self.update(SEARCHING, was.counts());
        }
        leaves
    }

    /// Handles the expiry of a sleeper: it exits if the pool is above its minimum of threads.
    pub fn expire(&self, parker: &Arc<Parker>) -> Expiry {
        let mut stack = self.stack.lock();
        if self.load().live() - stack.leaving <= self.fewest() {
            return Expiry::Stays;
        }
        if !stack.remove(parker) {
            return Expiry::Woken;
        }
        stack.leaving += 1;
        self.update(SEARCHING, SLEEPING);
        Expiry::Leaves
    }

    /// Wakes all sleepers, so that they check for the pool's end and for surplus threads.
    pub fn wake_all(&self) {
        let sleepers = {
            let mut stack = self.stack.lock();
            let mut sleepers = std::mem::take(&mut stack.sleepers);
            sleepers.extend(stack.in_reactor.take());
            let count = sleepers.len() as u64;
            self.update(SEARCHING * count, SLEEPING * count);
            sleepers
        };
        for parker in sleepers {
            parker.unpark();
        }
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests;
