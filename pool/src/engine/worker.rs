//! The loop of a worker: find, run, search, sleep, exit.

mod find;

use std::time::Instant;

use crate::engine::idle::{Awake, Expiry};
use crate::engine::lane::Lane;
use crate::engine::priority::Priority;
use crate::engine::scheduler::{Leave, Scheduler, run};
use crate::engine::seat::{Occupancy, Seat, Seated};
use crate::engine::worker_thread;
use crate::sync::Arc;
use crate::sync::atomic::{Ordering, fence};
use crate::wait::Holder;
use crate::wait::Spin;
use crate::wait::{Parker, Unparked};
use find::Fairness;

/// Runs a worker on its thread until it exits.
pub fn work(scheduler: Scheduler) {
    let shared = scheduler.settings.reactor.as_ref();
    Worker {
        parker: Arc::new(Parker::with(shared.map(|shared| shared.reactor.clone()))),
        fairness: Fairness::new(),
        seat: Seat::take(scheduler),
        searching: true,
        moved: false,
        newly_occupied: false,
    }
    .work();
}

struct Worker {
    seat: Seated,
    parker: Arc<Parker>,
    /// Whether the census counts this worker as searching, as it does from the start.
    searching: bool,
    /// Whether tasks may have moved to the local queues without a notification.
    moved: bool,
    /// Whether the worker became occupied and has not yet attended to futures and events.
    newly_occupied: bool,
    fairness: Fairness,
}

/// Why a worker woke up.
enum Wake {
    Search,
    /// An event pushed tasks to the local queue.
    Run,
    /// The pool has ended.
    End,
    /// The worker slept for the idle expiry.
    Expired,
}

impl Worker {
    fn work(mut self) {
        self.seat.scheduler.begin_thread();
        self.call_start_hooks();
        loop {
            if self.retire() {
                return self.leave(Leave::Surplus);
            }
            if let Some(task) = self.find() {
                if self.searching | self.moved | self.newly_occupied {
                    self.hand_off();
                }
                run(task, &self.seat);
            } else if !self.go_on_searching() {
                match self.sleep() {
                    Wake::Search => self.searching = true,
                    // Handling events counts as a check beyond the local queues.
                    Wake::Run => self.fairness.reset(),
                    Wake::End => return self.leave(Leave::Ended),
                    Wake::Expired => return self.leave(Leave::Expired),
                }
            }
        }
    }

    /// Counts the start hook and the values of the worker as a closure, so that producers start or
    /// wake other workers meanwhile.
    fn call_start_hooks(&mut self) {
        let scheduler = self.seat.scheduler.clone();
        let hooks = &scheduler.settings.hooks;
        if hooks.start.is_none() && hooks.locals.is_empty() {
            return;
        }
        if scheduler.idle.occupy() {
            self.seat.set_occupancy(Occupancy::Occupied);
            self.newly_occupied = true;
        }
        self.hand_off();
        if let (Some(start), Some(index)) = (&hooks.start, worker_thread::index()) {
            scheduler.call_hook(|| start(index));
        }
        scheduler.make_locals();
    }

    /// Retires if too many workers are live, and moves its tasks to the shared queues.
    #[inline]
    fn retire(&self) -> bool {
        self.seat.scheduler.idle.has_surplus() && self.try_retire()
    }

    #[cold]
    fn try_retire(&self) -> bool {
        let scheduler = &self.seat.scheduler;
        if !scheduler.idle.retire(self.awake()) {
            return false;
        }
        self.seat.set_occupancy(Occupancy::Free);
        // The worker counts as searching now, so producers leave tasks in transit to it. Its exit
        // checks for work left behind.
        self.leave_futures();
        if let Some(own) = &self.seat.own {
            while let Some(task) = own.pop_outlined(Lane::Closures) {
                scheduler.queues.push_closure(task, Priority::Normal);
            }
        }
        true
    }

    /// Moves the local futures to the shared queue. The caller's next check for work finds them.
    fn leave_futures(&self) {
        let Some(own) = &self.seat.own else { return };
        while let Some(task) = own.pop_outlined(Lane::Futures) {
            self.seat.scheduler.queues.push_future(task);
        }
    }

    /// How the census counts this worker.
    fn awake(&self) -> Awake {
        Awake {
            searching: self.searching,
            occupied: self.seat.occupancy().is_counted(),
        }
    }

    /// Hands off the search, moved tasks and futures before a task that may run long.
    #[cold]
    fn hand_off(&mut self) {
        self.stop_searching();
        self.notify_moved();
        self.attend_if_newly_occupied();
    }

    /// Notifies of moved tasks as if just pushed. A worker that checked both queues during the
    /// move, then slept or ended its search, missed them.
    fn notify_moved(&mut self) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        let Some(own) = &self.seat.own else { return };
        for lane in Lane::ALL {
            if !own.is_empty(lane) {
                self.seat.scheduler.notify(lane);
            }
        }
    }

    /// Attends to futures and events before the first closure that may run long.
    fn attend_if_newly_occupied(&mut self) {
        if std::mem::take(&mut self.newly_occupied) {
            self.seat.scheduler.attend();
        }
    }

    fn stop_searching(&mut self) {
        if std::mem::take(&mut self.searching) && self.seat.scheduler.idle.end_search() {
            self.seat.scheduler.pass_on_search();
        }
    }

    /// Returns whether to search again before going to sleep, after a search found no task.
    fn go_on_searching(&mut self) -> bool {
        let reactor = self.seat.scheduler.settings.reactor.as_ref();
        if self.may_step_aside() || reactor.is_some_and(|reactor| !reactor.is_held()) {
            // Step aside, or go to sleep in the free reactor, where events arrive. S3 checks every
            // queue before that.
            return false;
        }
        if !self.searching {
            self.searching = self.seat.scheduler.idle.begin_search();
            return self.searching;
        }
        // The worker in the reactor notifies of tasks that it does not run itself. Spinning would
        // only take CPU time from the threads that cause events.
        reactor.is_none() && self.spin_for_work()
    }

    /// Spins for a few microseconds: work often arrives sooner than a park and unpark take. Checks
    /// the queues of other workers less often, because each check takes a fence.
    fn spin_for_work(&self) -> bool {
        let queues = &self.seat.scheduler.queues;
        let mut spin = Spin::worker();
        let mut checks = 0_u32;
        while spin.turn() {
            checks += 1;
            let anywhere = || Lane::ALL.into_iter().any(|lane| queues.has_work(lane));
            let waits = queues.has_shared_work() || (checks % 16 == 0 && anywhere());
            if waits && self.has_runnable(|lane| queues.has_work(lane)) {
                return true;
            }
        }
        false
    }

    /// Does S1 to S4 of the protocol in `idle` and sleeps, in the reactor if no other worker holds
    /// it.
    fn sleep(&mut self) -> Wake {
        let was = self.awake();
        self.searching = false;
        self.newly_occupied = false;
        self.seat.set_occupancy(Occupancy::Free);
        // However the sleep ends, an event may push tasks to the local queue during it.
        self.moved = true;
        let scheduler = &self.seat.scheduler;
        let idle = &scheduler.idle;
        // A worker that steps aside leaves the reactor, or each event would wake it.
        let held = if self.may_step_aside() {
            None
        } else {
            self.try_hold_reactor()
        };
        let surplus = idle.announce(&self.parker, was, held.is_some());
        // S2: pairs with P2.
        fence(Ordering::SeqCst);
        let reactor = scheduler.settings.reactor.as_ref();
        let may_hold = held.is_none() && reactor.is_some_and(|reactor| !reactor.is_held());
        let has_work = self.has_runnable(|lane| match lane {
            Lane::Futures => (may_hold || scheduler.queues.has_work(lane)) && idle.wants_poller(),
            Lane::Closures => scheduler.queues.has_work(lane),
        });
        if has_work || scheduler.has_ended() || surplus {
            self.withdraw();
            return self.wake_reason();
        }
        let Some(held) = held else {
            return self.sleep_alone();
        };
        // No deadline: this worker belongs to the minimum that stays.
        let (unparked, ended) = self.seat.park(&self.parker, &held);
        let wake = if unparked == Unparked::Notified {
            self.wake_reason()
        } else if idle.withdraw(&self.parker, false) {
            Wake::Run
        } else {
            self.take_notification();
            self.wake_reason()
        };
        // Report when this worker no longer counts as asleep, or other workers miss tasks that the
        // panic handler submits.
        self.seat.report(ended);
        wake
    }

    /// Whether this worker may sleep despite waiting futures: it only polls futures, and enough
    /// others are awake. More threads than `max` would take CPU time from each other.
    fn may_step_aside(&self) -> bool {
        let scheduler = &self.seat.scheduler;
        self.seat.occupancy() == Occupancy::Free
            && scheduler.idle.is_crowded()
            && !scheduler.queues.has_work(Lane::Closures)
    }

    /// Whether there is work that this worker may run. Counting closures that it may not run would
    /// keep it from sleeping.
    fn has_runnable(&self, has_work: impl Fn(Lane) -> bool) -> bool {
        has_work(Lane::Futures) || (has_work(Lane::Closures) && self.seat.may_run_closures())
    }

    /// Sleeps until a notification or the expiry.
    fn sleep_alone(&self) -> Wake {
        let mut deadline = self.deadline();
        loop {
            if self.parker.park(deadline) == Unparked::Notified {
                return self.wake_reason();
            }
            match self.seat.scheduler.idle.expire(&self.parker) {
                Expiry::Leaves => return Wake::Expired,
                Expiry::Stays => deadline = None,
                Expiry::Woken => {
                    self.take_notification();
                    return self.wake_reason();
                }
            }
        }
    }

    /// S4: wakes up without a notification.
    fn withdraw(&self) {
        if !self.seat.scheduler.idle.withdraw(&self.parker, true) {
            self.take_notification();
        }
    }

    /// Consumes the notification of the thread that popped this worker, or it ends the next sleep.
    fn take_notification(&self) {
        self.parker.park(None);
    }

    /// Handles pending events and returns true, unless another worker holds the reactor.
    fn poll_reactor(&self) -> bool {
        let held = self.try_hold_reactor();
        held.is_some_and(|held| {
            self.seat.poll(&held);
            true
        })
    }

    fn try_hold_reactor(&self) -> Option<Holder<'_>> {
        self.seat.scheduler.settings.reactor.as_ref()?.try_hold()
    }

    fn wake_reason(&self) -> Wake {
        let scheduler = &self.seat.scheduler;
        if scheduler.has_ended() {
            Wake::End
        } else {
            Wake::Search
        }
    }

    /// Returns when a worker that goes to sleep now expires. `None` if the pool is at its minimum.
    fn deadline(&self) -> Option<Instant> {
        let scheduler = &self.seat.scheduler;
        if scheduler.idle.live() <= scheduler.idle.fewest() {
            return None;
        }
        Instant::now().checked_add(scheduler.settings.idle_expiry)
    }

    fn leave(self, why: Leave) {
        let scheduler = self.seat.scheduler.clone();
        // Return the queue before the thread stops counting, so that the next thread finds it.
        drop(self.seat);
        scheduler.dismiss(why);
        scheduler.exit();
    }
}
