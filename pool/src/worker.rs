//! A worker's life: find, run, search, sleep, leave.

mod find;

use std::time::Instant;

use crate::idle::{Awake, Expiry};
use crate::lane::Lane;
use crate::parker::{Parker, Unparked};
use crate::priority::Priority;
use crate::reactor::Holder;
use crate::scheduler::{Leave, Scheduler, run};
use crate::seat::{Occupancy, Seat, Seated};
use crate::spin::Spin;
use crate::sync::Arc;
use crate::sync::atomic::{Ordering, fence};
use find::Course;

/// What a worker's thread does, from its start to its end.
pub(crate) fn work(scheduler: Scheduler) {
    let shared = scheduler.settings.reactor.as_ref();
    Worker {
        parker: Arc::new(Parker::with(shared.map(|shared| shared.reactor.clone()))),
        course: Course::new(),
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
    /// Whether the census counts this worker as searching. It is born so.
    searching: bool,
    /// Whether tasks may have come into the own queues of which the others do not know.
    moved: bool,
    /// Whether it has occupied itself and not yet seen to futures and events.
    newly_occupied: bool,
    course: Course,
}

/// Why a worker is up again.
enum Wake {
    Search,
    /// An event has put tasks into its own queue.
    Run,
    /// The pool has ended.
    End,
    /// It has slept for long enough.
    Expired,
}

impl Worker {
    fn work(mut self) {
        self.call_start_hook();
        loop {
            if self.retire() {
                return self.leave(Leave::Surplus);
            }
            if let Some(task) = self.find() {
                if self.searching | self.moved | self.newly_occupied {
                    self.see_to_others();
                }
                run(task, &self.seat);
            } else if !self.go_on_searching() {
                match self.sleep() {
                    Wake::Search => self.searching = true,
                    // Events came, so it has looked beyond its own queues.
                    Wake::Run => self.course.begin_anew(),
                    Wake::End => return self.leave(Leave::Ended),
                    Wake::Expired => return self.leave(Leave::Expired),
                }
            }
        }
    }

    /// Counts the hook as a closure, so that producers start or wake other workers while it runs.
    fn call_start_hook(&mut self) {
        let scheduler = self.seat.scheduler.clone();
        let start = scheduler.settings.hooks.start.as_ref();
        if start.is_none() {
            return;
        }
        if scheduler.idle.occupy() {
            self.seat.set_occupancy(Occupancy::Occupied);
            self.newly_occupied = true;
        }
        self.see_to_others();
        scheduler.call(start);
    }

    /// Leaves its place if there are too many workers, and its tasks to the others.
    #[inline]
    fn retire(&self) -> bool {
        self.seat.scheduler.idle.has_surplus() && self.give_up_place()
    }

    #[cold]
    fn give_up_place(&self) -> bool {
        let scheduler = &self.seat.scheduler;
        if !scheduler.idle.retire(self.awake()) {
            return false;
        }
        self.seat.set_occupancy(Occupancy::Free);
        // It counts as searching from here on, so a producer that misses these tasks on their way leaves them to it: it
        // looks for work left behind when it has stopped, as each worker that leaves does.
        if let Some(own) = &self.seat.own {
            while let Some(task) = own.pop_apart(Lane::Futures) {
                scheduler.queues.push_future(task);
            }
            while let Some(task) = own.pop_apart(Lane::Closures) {
                scheduler.queues.push_closure(task, Priority::Normal);
            }
        }
        true
    }

    /// How the census counts this worker.
    fn awake(&self) -> Awake {
        Awake {
            searching: self.searching,
            occupied: self.seat.occupancy().is_counted(),
        }
    }

    /// Before a task is run that may take long.
    #[cold]
    fn see_to_others(&mut self) {
        self.stop_searching();
        self.show_what_was_moved();
        self.leave_attended();
    }

    /// On the way from one queue to another, tasks are in neither: who looked at both in that moment, and went to sleep
    /// or stopped searching, has not seen them. So they count as work that was just pushed.
    fn show_what_was_moved(&mut self) {
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

    /// Sees to futures and events before the first of the closures that may take long.
    fn leave_attended(&mut self) {
        if std::mem::take(&mut self.newly_occupied) {
            self.seat.scheduler.attend();
        }
    }

    fn stop_searching(&mut self) {
        if std::mem::take(&mut self.searching) && self.seat.scheduler.idle.end_search() {
            self.seat.scheduler.pass_on_search();
        }
    }

    /// Nothing was found: whether to look again before going to sleep.
    fn go_on_searching(&mut self) -> bool {
        let reactor = self.seat.scheduler.settings.reactor.as_ref();
        if reactor.is_some_and(|reactor| !reactor.is_held()) {
            // What it is to wait for comes from there; and it looks at every queue once more before it waits.
            return false;
        }
        if !self.searching {
            self.searching = self.seat.scheduler.idle.begin_search();
            return self.searching;
        }
        // Of events the one in the reactor hears, and it shows what it does not run itself. To look again would only take
        // the processor from those who cause them.
        reactor.is_none() && self.is_worth_another_look()
    }

    /// Spins for a few microseconds: work often arrives sooner than a park and unpark take. The queues of other workers
    /// are looked at less often, because each look at one takes a fence.
    fn is_worth_another_look(&self) -> bool {
        let queues = &self.seat.scheduler.queues;
        let mut spin = Spin::worker();
        let mut looks = 0_u32;
        while spin.turn() {
            looks += 1;
            let everywhere = || Lane::ALL.into_iter().any(|lane| queues.has_work(lane));
            let waits = queues.has_common_work() || (looks % 16 == 0 && everywhere());
            if waits && self.sees(|lane| queues.has_work(lane)) {
                return true;
            }
        }
        false
    }

    /// S1 to S4 of the protocol in `idle`, and the sleep itself: in the reactor, if nobody else is there.
    fn sleep(&mut self) -> Wake {
        let was = self.awake();
        self.searching = false;
        self.newly_occupied = false;
        self.seat.set_occupancy(Occupancy::Free);
        // Whatever ends the sleep, an event may have put tasks into the own queue meanwhile.
        self.moved = true;
        let scheduler = &self.seat.scheduler;
        let idle = &scheduler.idle;
        let held = self.try_hold_reactor();
        let surplus = idle.announce(&self.parker, was, held.is_some());
        // S2: pairs with P2.
        fence(Ordering::SeqCst);
        let reactor = scheduler.settings.reactor.as_ref();
        let may_hold = held.is_none() && reactor.is_some_and(|reactor| !reactor.is_held());
        let has_work = self.sees(|lane| scheduler.queues.has_work(lane));
        if has_work || scheduler.has_ended() || surplus || may_hold {
            self.withdraw();
            return self.up();
        }
        let Some(held) = held else {
            return self.sleep_alone();
        };
        // Without a deadline: it is one of the fewest that stay.
        let (unparked, ended) = self.seat.park(&self.parker, &held);
        let wake = if unparked == Unparked::Notified {
            self.up()
        } else if idle.withdraw(&self.parker, false) {
            Wake::Run
        } else {
            self.take_notification();
            self.up()
        };
        // Not before: what a panic handler submits is to be seen by the others.
        self.seat.report(ended);
        wake
    }

    /// Whether there is work in a lane of which this worker may run tasks. A worker that counted the closures it may not
    /// run would never sleep beside them.
    fn sees(&self, has_work: impl Fn(Lane) -> bool) -> bool {
        has_work(Lane::Futures) || (has_work(Lane::Closures) && self.seat.may_run_closures())
    }

    /// Sleeps until it is notified or expires.
    fn sleep_alone(&self) -> Wake {
        let mut deadline = self.deadline();
        loop {
            if self.parker.park(deadline) == Unparked::Notified {
                return self.up();
            }
            match self.seat.scheduler.idle.expire(&self.parker) {
                Expiry::Leaves => return Wake::Expired,
                Expiry::Stays => deadline = None,
                Expiry::Woken => {
                    self.take_notification();
                    return self.up();
                }
            }
        }
    }

    /// S4: awake again, although nobody has said so.
    fn withdraw(&self) {
        if !self.seat.scheduler.idle.withdraw(&self.parker, true) {
            self.take_notification();
        }
    }

    /// Popped by somebody: the notification is this worker's and must not meet it at its next sleep.
    fn take_notification(&self) {
        self.parker.park(None);
    }

    /// Handles the events that there are, unless another worker holds the reactor; true if it did.
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

    fn up(&self) -> Wake {
        let scheduler = &self.seat.scheduler;
        if scheduler.has_ended() {
            Wake::End
        } else {
            Wake::Search
        }
    }

    /// When a worker that goes to sleep now has slept for long enough; never if it is among the fewest that stay.
    fn deadline(&self) -> Option<Instant> {
        let scheduler = &self.seat.scheduler;
        if scheduler.idle.live() <= scheduler.idle.fewest() {
            return None;
        }
        Instant::now().checked_add(scheduler.settings.idle_expiry)
    }

    fn leave(self, why: Leave) {
        let scheduler = self.seat.scheduler.clone();
        // The queue goes back before the thread stops counting, so that the next one finds it.
        drop(self.seat);
        scheduler.dismiss(why);
        scheduler.exit();
    }
}
