//! How a worker runs what it has found.

use std::cell::Cell;

use super::Scheduler;
use crate::activity::Doing;
use crate::end::{End, Job, Turn};
use crate::entrance::Entrance;
use crate::seat::Seat;
use crate::slots::Released;
use crate::task::Task;
use crate::unwind;

impl Scheduler {
    /// Runs a closure that holds a slot of `entrance`, to its end and that of its panic.
    #[inline]
    pub(crate) fn run_closure<J: Job>(&self, seat: &Seat, entrance: &Entrance, job: J) {
        if J::ENDS_TURN {
            let turn = ClosureTurn::<true>::new(seat, entrance, Slot::Held);
            turn.settle(self.end_of(entrance, job, &turn));
        } else {
            let turn = PlainTurn { seat, entrance };
            let end = self.end_of(entrance, job, &turn);
            self.settle(seat.tally(), end);
        }
    }

    /// Runs or discards a closure.
    #[inline]
    fn end_of(&self, entrance: &Entrance, job: impl Job, turn: &impl Turn) -> End {
        if entrance.is_discarding() {
            turn.begin();
            unwind::catch(|| job.discard(turn)).unwrap_or_else(|payload| {
                self.report(payload);
                End::Discarded
            })
        } else {
            End::of(job, turn)
        }
    }
}

/// Runs a task. A panic here is not the task's, which are caught closer to it, but of something that it owned and that
/// panicked when dropped; it is reported like the task's.
pub(crate) fn run(task: Task<Seat>, seat: &Seat) {
    let ran = unwind::catch(|| task.run(seat));
    seat.serve_nobody();
    if let Err(payload) = ran {
        seat.scheduler.report(payload);
    }
}

/// The turn of a closure without a handle, whose end is counted when it has returned. Releases the slot when dropped.
struct PlainTurn<'a> {
    seat: &'a Seat,
    entrance: &'a Entrance,
}

impl Turn for PlainTurn<'_> {
    #[inline]
    fn begin(&self) {
        self.seat.serve(Doing::Closure, self.entrance.id());
    }

    fn end(&self, _end: &End) {
        unreachable!("`ENDS_TURN` is false");
    }
}

impl Drop for PlainTurn<'_> {
    #[inline]
    fn drop(&mut self) {
        // First: a release may wake foreign code, which does not run in this slot.
        self.seat.serve_nobody();
        self.seat.scheduler.release(self.entrance);
    }
}

/// The turn of a closure. Releases the slot when it is dropped, at the latest. The seat shows what runs, unless the
/// closure runs inside another task.
pub(crate) struct ClosureTurn<'a, const SHOWN: bool> {
    seat: &'a Seat,
    entrance: &'a Entrance,
    slot: Cell<Slot>,
}

#[derive(Clone, Copy)]
enum Slot {
    Held,
    Released(Released),
    /// The end is counted, and the slot released if there was one: here, or by the task that ran this one in place.
    Gone,
}

impl<'a> ClosureTurn<'a, false> {
    /// Of a closure with a slot that runs inside another task.
    pub(crate) fn inside(seat: &'a Seat, entrance: &'a Entrance) -> Self {
        Self::new(seat, entrance, Slot::Held)
    }
}

impl<'a, const SHOWN: bool> ClosureTurn<'a, SHOWN> {
    fn new(seat: &'a Seat, entrance: &'a Entrance, slot: Slot) -> Self {
        Self {
            seat,
            entrance,
            slot: Cell::new(slot),
        }
    }

    /// Counts the end unless that is done, and reports a panic that no handle has.
    pub(crate) fn settle(&self, end: End) {
        let scheduler = &self.seat.scheduler;
        match (self.slot.get(), end) {
            (Slot::Held, End::Counted) => self.slot.set(Slot::Gone),
            (Slot::Held, end) => scheduler.settle(self.seat.tally(), end),
            (_, End::Panicked(Some(payload))) => scheduler.report(payload),
            _ => {}
        }
    }

    fn hide(&self) {
        if SHOWN {
            self.seat.serve_nobody();
        }
    }
}

impl<const SHOWN: bool> Turn for ClosureTurn<'_, SHOWN> {
    #[inline]
    fn begin(&self) {
        if SHOWN {
            self.seat.serve(Doing::Closure, self.entrance.id());
        }
    }

    fn end(&self, end: &End) {
        self.hide();
        self.seat.tally().count_end(end);
        self.slot.set(match self.slot.get() {
            Slot::Held => Slot::Released(self.entrance.slots.release_quietly()),
            _ => Slot::Gone,
        });
    }
}

impl<const SHOWN: bool> Drop for ClosureTurn<'_, SHOWN> {
    #[inline]
    fn drop(&mut self) {
        let scheduler = &self.seat.scheduler;
        match self.slot.get() {
            Slot::Held => {
                // First: a release may wake foreign code, which does not run in this slot.
                self.hide();
                scheduler.release(self.entrance);
            }
            Slot::Released(released) => scheduler.follow_up(self.entrance, released),
            Slot::Gone => {}
        }
    }
}
