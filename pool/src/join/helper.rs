//! Runs tasks in place of a task that waits for them. Otherwise they could wait for ever if no
//! other worker is free.

use std::rc::Rc;

use crate::engine::ClosureTurn;
use crate::engine::Entrance;
use crate::engine::Seat;
use crate::sync::Arc;
use crate::task::End;

/// A worker whose task waits for another task of the same entrance. It may run that task in place.
/// The waiting task does nothing meanwhile, so running tasks never outnumber slots.
pub struct Helper {
    seat: Rc<Seat>,
    /// `None` for the pool's own entrance.
    subpool: Option<Arc<Entrance>>,
}

impl Helper {
    /// Returns the calling worker if the task that it runs holds a slot of the entrance with this
    /// id.
    pub fn at(entrance: usize) -> Option<Self> {
        let seat = Seat::top().filter(|seat| seat.runs_task_of(entrance))?;
        let subpool = if seat.scheduler.root.id() == entrance {
            None
        } else {
            // The entrance is not drained, because the task that runs here holds a slot of it.
            Some(seat.scheduler.subpool(entrance)?)
        };
        Some(Self { seat, subpool })
    }

    fn entrance(&self) -> &Entrance {
        self.subpool.as_deref().unwrap_or(&self.seat.scheduler.root)
    }

    /// Returns whether the entrance discards tasks instead of running them.
    pub fn discards(&self) -> bool {
        self.entrance().is_discarding()
    }

    /// Ends a queued task: `end` runs it, or discards it if its second argument is true.
    pub fn end(&self, end: impl FnOnce(&ClosureTurn<'_, false>, bool) -> End) {
        let turn = ClosureTurn::inside(&self.seat, self.entrance());
        let discards = self.entrance().is_discarding();
        if !discards {
            self.seat.occupy_in_place();
        }
        turn.settle(end(&turn, discards));
        drop(turn);
        self.seat.scheduler.sweep();
    }
}
