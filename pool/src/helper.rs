//! A task that waits on a worker for others of its entrance runs them itself, because no other worker may be free.

use std::rc::Rc;

use crate::end::End;
use crate::entrance::Entrance;
use crate::lane::Lane;
use crate::scheduler::ClosureTurn;
use crate::seat::Seat;
use crate::sync::{Arc, SWEEP};

/// A worker whose task waits for another task of the same entrance. It may run that task in place: a task that waits does
/// nothing else, so no more tasks run at once than there are slots.
pub(crate) struct Helper {
    seat: Rc<Seat>,
    /// None for the pool's own entrance.
    subpool: Option<Arc<Entrance>>,
}

impl Helper {
    /// Returns the calling worker if the task that it runs has a slot of the entrance with this id.
    pub(crate) fn at(entrance: usize) -> Option<Self> {
        let seat = Seat::top().filter(|seat| seat.serves(entrance))?;
        let subpool = if seat.scheduler.root.id() == entrance {
            None
        } else {
            // The entrance is not drained, since the task that runs here has a slot of it.
            Some(seat.scheduler.subpool(entrance)?)
        };
        Some(Self { seat, subpool })
    }

    fn entrance(&self) -> &Entrance {
        self.subpool.as_deref().unwrap_or(&self.seat.scheduler.root)
    }

    /// Whether the tasks are to be discarded instead of run.
    pub(crate) fn discards(&self) -> bool {
        self.entrance().is_discarding()
    }

    /// Ends a task that waits in a queue: `end` runs it, or discards it if its second argument says so.
    pub(crate) fn end(&self, end: impl FnOnce(&ClosureTurn<'_, false>, bool) -> End) {
        let turn = ClosureTurn::inside(&self.seat, self.entrance());
        let discards = self.entrance().is_discarding();
        if !discards {
            self.seat.occupy_in_place();
        }
        turn.settle(end(&turn, discards));
        drop(turn);
        self.sweep();
    }

    /// Removes what is left in the own queue of tasks that were ended here, because the worker may not look there for long.
    /// It waits until that may be half of the queue, so that each task costs a bounded number of looks.
    fn sweep(&self) {
        let Some(own) = &self.seat.own else { return };
        let spent = self.seat.spent.get() + 1;
        self.seat.spent.set(spent);
        if spent < SWEEP.max(own.len(Lane::Closures) / 2) {
            return;
        }
        self.seat.spent.set(0);
        let scheduler = &self.seat.scheduler;
        let has_put_back = own.sweep(Lane::Closures, |task| scheduler.drop_spent(task));
        if has_put_back {
            scheduler.notify(Lane::Closures);
        }
    }
}
