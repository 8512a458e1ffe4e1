//! Runs the tasks that a worker has found.

use std::cell::Cell;

use super::Scheduler;
use crate::admission::Released;
use crate::engine::activity::ActivityKind;
use crate::engine::entrance::Entrance;
use crate::engine::seat::Seat;
use crate::task::Task;
use crate::task::unwind;
use crate::task::{End, Job, Turn};

impl Scheduler {
    /// Runs a closure that holds a slot of `entrance`. Handles its panic before the slot is
    /// released.
    #[inline]
    pub fn run_closure<J: Job>(&self, seat: &Seat, entrance: &Entrance, job: J) {
        if J::ENDS_TURN {
            let turn = ClosureTurn::<true>::new(seat, entrance, Slot::Held);
            turn.settle(self.end_of(entrance, job, &turn));
        } else {
            let turn = PlainTurn { seat, entrance };
            let end = self.end_of(entrance, job, &turn);
            self.settle(seat.tally(), end);
        }
    }

    /// Runs a closure, or discards it while the entrance discards.
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

/// Runs a task. A panic of the task itself is caught deeper. A panic caught here comes from
/// dropping a value that the task owned, and is reported alike.
pub fn run(task: Task<Seat>, seat: &Seat) {
    let ran = unwind::catch(|| task.run(seat));
    seat.clear_activity();
    if let Err(payload) = ran {
        seat.scheduler.report(payload);
    }
}

/// The turn of a closure without a handle. Its end is counted after it returns. Releases the slot
/// when dropped.
struct PlainTurn<'a> {
    seat: &'a Seat,
    entrance: &'a Entrance,
}

impl Turn for PlainTurn<'_> {
    #[inline]
    fn begin(&self) {
        self.seat
            .set_activity(ActivityKind::Closure, self.entrance.id());
    }

    fn end(&self, _end: &End) {
        unreachable!("`ENDS_TURN` is false");
    }
}

impl Drop for PlainTurn<'_> {
    #[inline]
    fn drop(&mut self) {
        // Before the release, which may call a waker: foreign code that does not run in this slot.
        self.seat.clear_activity();
        self.seat.scheduler.release(self.entrance, 1);
    }
}

/// The turn of a closure. Releases the slot when dropped, unless released before. The seat shows
/// the closure as running unless it runs inside another task (`SHOWN` is false).
pub struct ClosureTurn<'a, const SHOWN: bool> {
    seat: &'a Seat,
    entrance: &'a Entrance,
    slot: Cell<Slot>,
}

#[derive(Clone, Copy)]
enum Slot {
    Held,
    Released(Released),
    /// The end is counted, and the slot was released here or by the task that ran this one in
    /// place.
    Gone,
}

impl<'a> ClosureTurn<'a, false> {
    /// Creates the turn of a closure that holds a slot and runs inside another task.
    pub fn inside(seat: &'a Seat, entrance: &'a Entrance) -> Self {
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

    /// Counts the end unless it is counted already, and reports a panic that no handle receives.
    pub fn settle(&self, end: End) {
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
            self.seat.clear_activity();
        }
    }
}

impl<const SHOWN: bool> Turn for ClosureTurn<'_, SHOWN> {
    #[inline]
    fn begin(&self) {
        if SHOWN {
            self.seat
                .set_activity(ActivityKind::Closure, self.entrance.id());
        }
    }

    fn end(&self, end: &End) {
        self.hide();
        self.seat.tally().count_end(end);
        self.slot.set(match self.slot.get() {
            Slot::Held => Slot::Released(self.entrance.slots.release_quietly(1)),
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
                // Before the release, which may call a waker: foreign code that does not run in
                // this slot.
                self.hide();
                scheduler.release(self.entrance, 1);
            }
            Slot::Released(released) => scheduler.follow_up(self.entrance, released),
            Slot::Gone => {}
        }
    }
}
