//! How a worker runs what it has found.

use super::Scheduler;
use crate::activity::Doing;
use crate::end::{End, Job};
use crate::entrance::Entrance;
use crate::seat::Seat;
use crate::task::Task;
use crate::unwind;

impl Scheduler {
    /// Runs a closure that holds a slot of `entrance`, to its end and that of its panic.
    pub(crate) fn run_closure(&self, seat: &Seat, entrance: &Entrance, job: impl Job) {
        let _slot = Held { seat, entrance };
        let begun = || seat.serve(Doing::Closure, entrance.id());
        let end = if entrance.is_discarding() {
            begun();
            unwind::catch(|| job.discard()).unwrap_or_else(|payload| {
                self.report(payload);
                End::Discarded
            })
        } else {
            End::of(job, begun)
        };
        self.settle(seat.tally(), end);
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

/// A taken slot, given back on drop.
struct Held<'a> {
    seat: &'a Seat,
    entrance: &'a Entrance,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Before: those who are woken by the release may be anybody's code, and the slot is not theirs.
        self.seat.serve_nobody();
        self.seat.scheduler.release(self.entrance);
    }
}
