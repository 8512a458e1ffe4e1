//! A worker's life: find, run, search, sleep, leave.

use std::time::Instant;

use crate::idle::Expiry;
use crate::parker::{Parker, Unparked};
use crate::queues::Own;
use crate::reactor::Holder;
use crate::scheduler::{Leave, Scheduler, run};
use crate::seat::{Seat, Seated};
use crate::spin::Spin;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{Arc, LOOK_OUTSIDE};
use crate::task::Task;

/// What a worker's thread does, from its start to its end.
pub(crate) fn work(scheduler: Scheduler) {
    let shared = scheduler.settings.reactor.as_ref();
    Worker {
        parker: Arc::new(Parker::with(shared.map(|shared| shared.reactor.clone()))),
        seat: Seat::take(scheduler),
        searching: true,
        ran: 0,
        moved: false,
    }
    .work();
}

struct Worker {
    seat: Seated,
    parker: Arc<Parker>,
    /// Whether the census counts this worker as searching. It is born so.
    searching: bool,
    /// Tasks since it last looked outside its own queue.
    ran: u32,
    /// Whether tasks may have come into the own queue of which the others do not know.
    moved: bool,
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
        let scheduler = self.seat.scheduler.clone();
        scheduler.call(scheduler.settings.hooks.start.as_ref());
        loop {
            if self.retire() {
                return self.leave(Leave::Surplus);
            }
            if let Some(task) = self.find() {
                self.stop_searching();
                self.show_what_was_moved();
                self.ran += 1;
                run(task, &self.seat);
            } else if !self.go_on_searching() {
                match self.sleep() {
                    Wake::Search => self.searching = true,
                    // Events came, so it has looked outside.
                    Wake::Run => self.ran = 0,
                    Wake::End => return self.leave(Leave::Ended),
                    Wake::Expired => return self.leave(Leave::Expired),
                }
            }
        }
    }

    /// Leaves its place if there are too many workers, and what it has to the others.
    #[inline]
    fn retire(&self) -> bool {
        self.seat.scheduler.idle.has_surplus() && self.give_up_place()
    }

    #[cold]
    fn give_up_place(&self) -> bool {
        let scheduler = &self.seat.scheduler;
        if !scheduler.idle.retire(self.searching) {
            return false;
        }
        // It counts as searching from here on, so whoever misses these tasks on their way leaves them to it: it looks
        // for work left behind when it has stopped, as each that leaves does.
        if let Some(own) = &self.seat.own {
            while let Some(task) = own.pop() {
                scheduler.queues.push(task);
            }
        }
        true
    }

    #[inline]
    fn find(&mut self) -> Option<Task<Seat>> {
        if self.ran == LOOK_OUTSIDE {
            self.look_outside();
        }
        let own = self.seat.own.as_ref();
        if let Some(task) = own.and_then(Own::pop) {
            return Some(task);
        }
        self.find_elsewhere()
    }

    /// What others bring is not kept waiting by those in the own queue that bring each other.
    fn look_outside(&mut self) {
        self.ran = 0;
        // Behind what is in the own queue already: the order stays that of arrival.
        if let Some(own) = &self.seat.own {
            self.seat.scheduler.queues.refill(own);
            self.moved = true;
        }
        // Events, too, wait for at most so many tasks.
        if let Some(held) = self.try_hold_reactor() {
            self.seat.poll(&held);
        }
    }

    fn find_elsewhere(&mut self) -> Option<Task<Seat>> {
        let own = self.seat.own.as_ref();
        let queues = &self.seat.scheduler.queues;
        let mut task = queues.take_common(own);
        if task.is_none() && self.searching {
            task = queues.steal(own);
        }
        self.moved = task.is_some();
        task
    }

    /// On the way from one queue to another, tasks are in neither: who looked at both in that moment, and went to sleep
    /// or stopped searching, has not seen them. So they count as work that was just pushed.
    fn show_what_was_moved(&mut self) {
        if std::mem::take(&mut self.moved)
            && self.seat.own.as_ref().is_some_and(|own| !own.is_empty())
        {
            self.seat.scheduler.notify();
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

    /// Looks again for a few microseconds, for much comes sooner than a thread falls asleep and wakes up.
    fn is_worth_another_look(&self) -> bool {
        let queues = &self.seat.scheduler.queues;
        let mut spin = Spin::worker();
        while spin.turn() {
            if queues.has_work() {
                return true;
            }
        }
        false
    }

    /// S1 to S4 of the protocol in `idle`, and the sleep itself: in the reactor, if nobody else is there.
    fn sleep(&mut self) -> Wake {
        let searching = std::mem::take(&mut self.searching);
        // Whatever ends the sleep, an event may have put tasks into the own queue meanwhile.
        self.moved = true;
        let scheduler = &self.seat.scheduler;
        let idle = &scheduler.idle;
        let held = self.try_hold_reactor();
        let surplus = idle.announce(&self.parker, searching, held.is_some());
        // S2: pairs with P2.
        fence(Ordering::SeqCst);
        let reactor = scheduler.settings.reactor.as_ref();
        let may_hold = held.is_none() && reactor.is_some_and(|reactor| !reactor.is_held());
        if scheduler.queues.has_work() || scheduler.has_ended() || surplus || may_hold {
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
        let stop = scheduler.settings.hooks.stop.as_ref();
        if stop.is_some() {
            // Not as a searcher, to which others leave their tasks, for it may take long.
            if scheduler.idle.end_search() {
                scheduler.pass_on_search();
            }
            scheduler.call(stop);
            scheduler.idle.count_as_searching();
        }
        // The queue goes back before the thread stops counting, so that the next one finds it.
        drop(self.seat);
        scheduler.dismiss(why);
    }
}
