//! Removes the queue entries of closures that were ended out of turn: cancelled, or run in place by
//! the task that waited for them. No worker would pop them while all are busy.

use crate::engine::lane::Lane;
use crate::engine::scheduler::Scheduler;
use crate::engine::seat::Seat;
use crate::sync::SWEEP;

impl Scheduler {
    /// Counts a closure that was ended out of turn. Searches the queue of the calling worker and
    /// the shared queues once such closures may be half of their entries, so that each closure
    /// costs a bounded time.
    pub fn sweep(&self) {
        let drop_spent = |task| self.drop_spent(task);
        let (count, mut has_put_back) = match Seat::top().filter(|seat| seat.scheduler.is(self)) {
            None => (1, false),
            Some(seat) => {
                let own = seat.own.as_ref();
                let spent = seat.spent.get() + 1;
                if spent < own.map_or(SWEEP, |own| SWEEP.max(own.len(Lane::Closures) / 2)) {
                    seat.spent.set(spent);
                    return;
                }
                seat.spent.set(0);
                let put_back = own.is_some_and(|own| own.sweep(Lane::Closures, drop_spent));
                (spent, put_back)
            }
        };
        has_put_back |= self.queues.sweep(count, drop_spent);
        if has_put_back {
            self.notify(Lane::Closures);
        }
    }
}
