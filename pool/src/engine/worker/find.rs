//! Decides which task a worker runs next.
//!
//! Futures come first, so that woken futures do not wait behind closures. After [`FUTURES_IN_ROW`]
//! futures comes a closure, if one waits and the worker may run it. Priorities divide the closures
//! by their shares. Local queues come before shared queues, and these before the local queues of
//! other workers. To avoid starvation, a worker checks beyond its local queues after every
//! [`OUTSIDE_INTERVAL`] tasks.

use super::Worker;
use crate::engine::lane::Lane;
use crate::engine::priority::{Priority, Shares};
use crate::engine::queues::Uses;
use crate::engine::seat::{Occupancy, Seat};
use crate::sync::{BLOCKED_INTERVAL, FUTURES_IN_ROW, OUTSIDE_INTERVAL};
use crate::task::Task;

/// Counters that make a worker's choices fair.
pub struct Fairness {
    /// Tasks since the last check beyond the local queues.
    ran: u32,
    /// Futures since the last closure.
    row: u32,
    /// Futures since the last check beyond the local queues.
    polled: u32,
    /// Such checks since the last check of another worker.
    checks: u32,
    /// The worker to check next, and each worker's count of such checks when it was last seen.
    victim: usize,
    seen: Vec<u64>,
    shares: Shares,
}

impl Fairness {
    pub fn new() -> Self {
        Self {
            ran: 0,
            row: 0,
            polled: 0,
            checks: 0,
            victim: 0,
            seen: Vec::new(),
            shares: Shares::new(),
        }
    }

    /// Restarts the counts after a check beyond the local queues.
    pub fn reset(&mut self) {
        (self.ran, self.polled) = (0, 0);
    }

    #[inline]
    fn record(&mut self, lane: Lane) {
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
    pub fn find(&mut self) -> Option<Task<Seat>> {
        let lane = self.own_lane();
        if let (Some(own), Some(lane)) = (&self.seat.own, lane) {
            if let Some(task) = own.pop(lane) {
                self.fairness.record(lane);
                return Some(task);
            }
        }
        self.find_elsewhere()
    }

    /// Returns the lane of the local queue to pop from, if no other queue can come first.
    #[inline]
    fn own_lane(&mut self) -> Option<Lane> {
        let (own, queues) = (self.seat.own.as_ref()?, &self.seat.scheduler.queues);
        if self.fairness.ran >= OUTSIDE_INTERVAL {
            return None;
        }
        if !queues.uses().is_plain() {
            if !own.is_empty(Lane::Futures) {
                if self.fairness.row >= FUTURES_IN_ROW {
                    if !own.is_empty(Lane::Closures) || queues.has_shared_closures() {
                        return None;
                    }
                    self.fairness.row = 0;
                }
                return Some(Lane::Futures);
            }
            if queues.has_shared_futures() || queues.uses().includes(Uses::PRIORITIES) {
                return None;
            }
        }
        let may_run = self.seat.occupancy() == Occupancy::Occupied;
        may_run.then_some(Lane::Closures)
    }

    #[inline(never)]
    fn find_elsewhere(&mut self) -> Option<Task<Seat>> {
        if self.fairness.ran >= OUTSIDE_INTERVAL {
            self.check_outside();
            if self.may_step_aside() {
                self.leave_futures();
                return None;
            }
        }
        if self.fairness.row < FUTURES_IN_ROW {
            if let Some(task) = self.next_future() {
                return Some(task);
            }
        }
        if let Some(task) = self.next_closure() {
            self.fairness.record(Lane::Closures);
            return Some(task);
        }
        self.find_fallback()
    }

    /// Takes a future from the local or the shared queue.
    fn next_future(&mut self) -> Option<Task<Seat>> {
        let queues = &self.seat.scheduler.queues;
        if !queues.uses().includes(Uses::FUTURES) {
            return None;
        }
        let own = self.seat.own.as_ref();
        let mut task = own.and_then(|own| own.pop_outlined(Lane::Futures));
        if task.is_none() && queues.has_shared_futures() {
            task = self.take_shared_future();
        }
        if task.is_some() {
            self.fairness.record(Lane::Futures);
        }
        task
    }

    fn take_shared_future(&mut self) -> Option<Task<Seat>> {
        // A worker that also runs closures takes no batch, because its futures would wait behind
        // closures.
        let own = match self.seat.occupancy() {
            Occupancy::Free => self.seat.own.as_ref(),
            _ => None,
        };
        let task = self.seat.scheduler.queues.take_shared(Lane::Futures, own);
        self.moved |= task.is_some() && own.is_some();
        task
    }

    /// Takes a closure if this worker may run one.
    fn next_closure(&mut self) -> Option<Task<Seat>> {
        if self.seat.occupancy() != Occupancy::Occupied && !self.occupy() {
            return None;
        }
        let (own, queues) = (self.seat.own.as_ref(), &self.seat.scheduler.queues);
        let moved = &mut self.moved;
        let mut unprioritized = || {
            let task = own.and_then(|own| own.pop_outlined(Lane::Closures));
            task.or_else(|| {
                let task = queues.take_shared(Lane::Closures, own);
                *moved |= task.is_some();
                task
            })
        };
        if !queues.uses().includes(Uses::PRIORITIES) {
            return unprioritized();
        }
        self.fairness.shares.next(|priority| match priority {
            Priority::Normal => unprioritized(),
            Priority::High | Priority::Low => queues.take_prioritized(priority),
        })
    }

    /// Occupies the worker if a closure waits and fewer than `max` workers are occupied.
    fn occupy(&mut self) -> bool {
        let (seat, queues) = (&self.seat, &self.seat.scheduler.queues);
        let has_own = seat
            .own
            .as_ref()
            .is_some_and(|own| !own.is_empty(Lane::Closures));
        let waits = has_own
            || queues.has_shared_closures()
            || (self.searching && queues.has_work(Lane::Closures));
        if !waits {
            return false;
        }
        if seat.occupancy() == Occupancy::InPlace {
            self.vacate();
        }
        if !self.seat.scheduler.idle.occupy() {
            if has_own {
                self.return_closures();
            }
            return false;
        }
        self.seat.set_occupancy(Occupancy::Occupied);
        self.newly_occupied = true;
        true
    }

    /// Moves the local closures to the shared queue, because enough other workers run closures.
    #[cold]
    fn return_closures(&self) {
        let Some(own) = &self.seat.own else { return };
        while let Some(task) = own.pop_outlined(Lane::Closures) {
            self.seat.scheduler.defer(task, Priority::Normal);
        }
    }

    /// Ends the occupancy. The worker still takes the closures left to it, after a row of futures.
    fn vacate(&self) {
        self.seat.set_occupancy(Occupancy::Free);
        self.seat.scheduler.idle.vacate();
    }

    /// The last resort, after neither a future in its turn nor a closure was found.
    fn find_fallback(&mut self) -> Option<Task<Seat>> {
        if std::mem::take(&mut self.fairness.row) >= FUTURES_IN_ROW {
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
            self.fairness.record(lane);
        }
        task
    }

    /// Checks beyond the local queues, so that local tasks that submit each other starve no other
    /// tasks.
    #[cold]
    fn check_outside(&mut self) {
        let ran = std::mem::take(&mut self.fairness.ran);
        let ran_closure = std::mem::take(&mut self.fairness.polled) < ran;
        let is_occupied = self.seat.occupancy() == Occupancy::Occupied;
        if let Some(own) = &self.seat.own {
            // Append to the local queues, so that tasks keep their order of arrival.
            let queues = &self.seat.scheduler.queues;
            queues.refill(Lane::Futures, own);
            if is_occupied {
                queues.refill(Lane::Closures, own);
            }
            self.moved = true;
        }
        self.seat.tally().count(|tally| &tally.looks);
        self.fairness.checks += 1;
        if self.fairness.checks >= BLOCKED_INTERVAL {
            self.fairness.checks = 0;
            self.steal_from_blocked();
        }
        if is_occupied && !ran_closure {
            self.vacate();
        }
        // Events, too, wait for at most `OUTSIDE_INTERVAL` tasks.
        if self.poll_reactor() {
            // While this worker held the reactor, a newly occupied worker did not recruit for it.
            self.newly_occupied |= self.seat.occupancy().is_counted();
        }
    }

    /// Steals the tasks queued behind a long task of another worker.
    fn steal_from_blocked(&mut self) {
        let Some(own) = &self.seat.own else { return };
        let (fairness, scheduler) = (&mut self.fairness, &self.seat.scheduler);
        fairness.seen.resize(scheduler.queues.locals(), 0);
        fairness.victim = (fairness.victim + 1) % fairness.seen.len();
        let victim = fairness.victim;
        if victim == own.index {
            return;
        }
        let checks = scheduler.tally(Some(victim)).looks.get();
        if std::mem::replace(&mut fairness.seen[victim], checks) != checks {
            // It made progress since the last check.
            return;
        }
        for lane in Lane::ALL {
            // A worker that polls futures may occupy itself for them. Without this steal, they wait
            // while futures keep coming, because such a worker does not search.
            if lane == Lane::Closures && !self.seat.may_run_closures() {
                continue;
            }
            if let Some(task) = scheduler.queues.steal_from(victim, lane, own) {
                scheduler.queues.push_own(own, lane, task);
            }
        }
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests;
