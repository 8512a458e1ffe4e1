//! Which task a worker runs next.
//!
//! Futures first, so that what an event or another thread has woken does not wait behind closures; but after
//! [`IN_A_ROW`] of them a closure, if one waits and the worker may run it. Closures by the shares of their priorities.
//! Own queues come before the common ones, and those before the queues of other workers. So that this starves nothing, a
//! worker looks beyond its own queues after every [`LOOK_OUTSIDE`] tasks.

use super::Worker;
use crate::lane::Lane;
use crate::priority::{Priority, Turn};
use crate::queues::Uses;
use crate::seat::{Occupancy, Seat};
use crate::sync::{IN_A_ROW, LOOK_AT_OTHERS, LOOK_OUTSIDE};
use crate::task::Task;

/// What a worker remembers of its choices.
pub(super) struct Course {
    /// Tasks since it last looked beyond its own queues.
    ran: u32,
    /// Futures since the last closure.
    row: u32,
    /// Futures since it last looked beyond its own queues.
    polled: u32,
    /// Looks beyond its own queues since it last looked at another worker's.
    looks: u32,
    /// Whose queues it looks at next, and how often each worker had looked beyond its own when this one looked at it.
    other: usize,
    seen: Vec<u64>,
    turn: Turn,
}

impl Course {
    pub(super) fn new() -> Self {
        Self {
            ran: 0,
            row: 0,
            polled: 0,
            looks: 0,
            other: 0,
            seen: Vec::new(),
            turn: Turn::new(),
        }
    }

    /// The worker has looked beyond its own queues.
    pub(super) fn begin_anew(&mut self) {
        (self.ran, self.polled) = (0, 0);
    }

    #[inline]
    fn chose(&mut self, lane: Lane) {
        self.ran += 1;
        match lane {
            Lane::Futures => {
                self.row += 1;
                self.polled += 1;
            }
            Lane::Closures => self.row = 0,
        }
    }
}

impl Worker {
    #[inline]
    pub(super) fn find(&mut self) -> Option<Task<Seat>> {
        let lane = self.own_lane();
        if let (Some(own), Some(lane)) = (&self.seat.own, lane) {
            if let Some(task) = own.pop(lane) {
                self.course.chose(lane);
                return Some(task);
            }
        }
        self.find_elsewhere()
    }

    /// The lane of the own queue from which the next task comes, where that is plain.
    #[inline]
    fn own_lane(&mut self) -> Option<Lane> {
        let (own, queues) = (self.seat.own.as_ref()?, &self.seat.scheduler.queues);
        if self.course.ran >= LOOK_OUTSIDE {
            return None;
        }
        if !queues.uses().is_plain() {
            if !own.is_empty(Lane::Futures) {
                if self.course.row >= IN_A_ROW {
                    if !own.is_empty(Lane::Closures) || queues.has_common_closures() {
                        return None;
                    }
                    self.course.row = 0;
                }
                return Some(Lane::Futures);
            }
            if queues.has_common_futures() || queues.uses().includes(Uses::PRIORITIES) {
                return None;
            }
        }
        let may_run = self.seat.occupancy() == Occupancy::Occupied;
        may_run.then_some(Lane::Closures)
    }

    #[inline(never)]
    fn find_elsewhere(&mut self) -> Option<Task<Seat>> {
        if self.course.ran >= LOOK_OUTSIDE {
            self.look_outside();
        }
        if self.course.row < IN_A_ROW {
            if let Some(task) = self.next_future() {
                return Some(task);
            }
        }
        if let Some(task) = self.next_closure() {
            // Futures that were left for it are for others.
            self.moved |= self.course.row >= IN_A_ROW;
            self.course.chose(Lane::Closures);
            return Some(task);
        }
        self.find_beyond()
    }

    /// A future, from the own queue or the common one.
    fn next_future(&mut self) -> Option<Task<Seat>> {
        let queues = &self.seat.scheduler.queues;
        if !queues.uses().includes(Uses::FUTURES) {
            return None;
        }
        let own = self.seat.own.as_ref();
        let mut task = own.and_then(|own| own.pop_apart(Lane::Futures));
        if task.is_none() && queues.has_common_futures() {
            task = self.take_common_future();
        }
        if task.is_some() {
            self.course.chose(Lane::Futures);
        }
        task
    }

    fn take_common_future(&mut self) -> Option<Task<Seat>> {
        // A worker that also runs closures takes no future along that would have to wait for them.
        let own = match self.seat.occupancy() {
            Occupancy::Free => self.seat.own.as_ref(),
            _ => None,
        };
        let task = self.seat.scheduler.queues.take_common(Lane::Futures, own);
        self.moved |= task.is_some() && own.is_some();
        task
    }

    /// A closure, if this worker may run one.
    fn next_closure(&mut self) -> Option<Task<Seat>> {
        if self.seat.occupancy() != Occupancy::Occupied && !self.occupy() {
            return None;
        }
        let (own, queues) = (self.seat.own.as_ref(), &self.seat.scheduler.queues);
        let moved = &mut self.moved;
        let mut unprioritized = || {
            let task = own.and_then(|own| own.pop_apart(Lane::Closures));
            task.or_else(|| {
                let task = queues.take_common(Lane::Closures, own);
                *moved |= task.is_some();
                task
            })
        };
        if !queues.uses().includes(Uses::PRIORITIES) {
            return unprioritized();
        }
        self.course.turn.next(|priority| match priority {
            Priority::Normal => unprioritized(),
            Priority::High | Priority::Low => queues.take_prioritized(priority),
        })
    }

    /// Begins to count as occupied by closures, if one waits and not enough others do.
    fn occupy(&mut self) -> bool {
        let (seat, queues) = (&self.seat, &self.seat.scheduler.queues);
        let has_own = seat
            .own
            .as_ref()
            .is_some_and(|own| !own.is_empty(Lane::Closures));
        let waits = has_own
            || queues.has_common_closures()
            || (self.searching && queues.has_work(Lane::Closures));
        if !waits {
            return false;
        }
        if seat.occupancy() == Occupancy::InPlace {
            self.vacate();
        }
        if !self.seat.scheduler.idle.occupy() {
            if has_own {
                self.give_back_closures();
            }
            return false;
        }
        self.seat.set_occupancy(Occupancy::Occupied);
        self.newly_occupied = true;
        true
    }

    /// Others run closures, and those in the own queue are for them.
    #[cold]
    fn give_back_closures(&self) {
        let Some(own) = &self.seat.own else { return };
        while let Some(task) = own.pop_apart(Lane::Closures) {
            self.seat.scheduler.defer(task, Priority::Normal);
        }
    }

    /// No longer counts as occupied. Closures that were left to this worker still come to it, after a row of futures.
    fn vacate(&self) {
        self.seat.set_occupancy(Occupancy::Free);
        self.seat.scheduler.idle.vacate();
    }

    /// When neither a future in its turn nor a closure was found.
    fn find_beyond(&mut self) -> Option<Task<Seat>> {
        if std::mem::take(&mut self.course.row) >= IN_A_ROW {
            if let Some(task) = self.next_future() {
                return Some(task);
            }
        }
        if !self.searching {
            return None;
        }
        let (own, queues) = (self.seat.own.as_ref(), &self.seat.scheduler.queues);
        let mut lane = Lane::Futures;
        let mut task = queues.steal(lane, own);
        if task.is_none() && self.seat.occupancy() == Occupancy::Occupied {
            lane = Lane::Closures;
            task = queues.steal(lane, own);
        }
        if task.is_some() {
            self.moved = true;
            self.course.chose(lane);
        }
        task
    }

    /// What others bring is not kept waiting by tasks in the own queues that bring each other.
    #[cold]
    fn look_outside(&mut self) {
        let ran = std::mem::take(&mut self.course.ran);
        let ran_closure = std::mem::take(&mut self.course.polled) < ran;
        let is_occupied = self.seat.occupancy() == Occupancy::Occupied;
        if let Some(own) = &self.seat.own {
            // Behind what is in the own queues already: the order stays that of arrival.
            let queues = &self.seat.scheduler.queues;
            queues.refill(Lane::Futures, own);
            if is_occupied {
                queues.refill(Lane::Closures, own);
            }
            self.moved = true;
        }
        self.seat.tally().count(|tally| &tally.looks);
        self.course.looks += 1;
        if self.course.looks >= LOOK_AT_OTHERS {
            self.course.looks = 0;
            self.look_at_another();
        }
        if is_occupied && !ran_closure {
            self.vacate();
        }
        // Events, too, wait for at most so many tasks.
        if self.poll_reactor() {
            // While it was held, a worker that occupied itself saw no need to have it attended.
            self.newly_occupied |= self.seat.occupancy().is_counted();
        }
    }

    /// Tasks behind one that takes long, in the queues of another worker, are taken along.
    fn look_at_another(&mut self) {
        let Some(own) = &self.seat.own else { return };
        let (course, scheduler) = (&mut self.course, &self.seat.scheduler);
        course.seen.resize(scheduler.queues.locals(), 0);
        course.other = (course.other + 1) % course.seen.len();
        let other = course.other;
        if other == own.index {
            return;
        }
        let looks = scheduler.tally(Some(other)).looks.get();
        if std::mem::replace(&mut course.seen[other], looks) != looks {
            // It goes on.
            return;
        }
        let may_run_closures = self.seat.occupancy() == Occupancy::Occupied;
        for lane in Lane::ALL {
            if lane == Lane::Closures && !may_run_closures {
                continue;
            }
            if let Some(task) = scheduler.queues.steal_from(other, lane, own) {
                scheduler.queues.push_own(own, lane, task);
            }
        }
    }
}
