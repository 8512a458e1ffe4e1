//! A task that waits on a worker for others of its entrance sees to them itself: no other worker may be free to.

use std::rc::Rc;

use crate::entrance::Entrance;
use crate::scheduler::ClosureTurn;
use crate::seat::Seat;
use crate::sync::Arc;

/// The calling thread, where the task that it runs has a slot of the same entrance as the one that it waits for. No more
/// tasks run at once than there are slots, since the one that waits does nothing else.
pub(crate) struct Helper {
    seat: Rc<Seat>,
    /// None for the pool's own entrance.
    subpool: Option<Arc<Entrance>>,
}

impl Helper {
    /// For tasks of the entrance with this id, if the calling thread may help there.
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

    /// Before it runs closures.
    pub(crate) fn occupy(&self) {
        self.seat.occupy_in_place();
    }

    /// The turn of one task.
    pub(crate) fn turn(&self) -> ClosureTurn<'_, false> {
        ClosureTurn::inside(&self.seat, self.entrance())
    }
}
