//! What workers and producers ask of the counts.

use super::Idle;
use crate::engine::lane::Lane;
use crate::sync::atomic::Ordering;

impl Idle {
    /// Returns the minimum of threads and the maximum of occupied workers.
    pub fn limits(&self) -> (usize, usize) {
        (self.fewest(), self.max())
    }

    /// Returns the minimum of threads.
    pub fn fewest(&self) -> usize {
        self.fewest.load(Ordering::Relaxed)
    }

    /// Returns the number of threads, including threads that are starting.
    pub fn live(&self) -> usize {
        self.load().live()
    }

    /// Returns the numbers of all and of sleeping threads at one instant.
    pub fn threads(&self) -> (usize, usize) {
        let census = self.load();
        (census.live(), census.sleeping())
    }

    /// P3: returns whether pushed work needs another worker. A fence must precede the call.
    pub fn wants_help(&self, lane: Lane) -> bool {
        self.load().wants_help(lane, self.max())
    }

    /// S3: returns whether too few other workers are awake to poll futures and handle events.
    pub fn wants_poller(&self) -> bool {
        self.load().wants_poller(self.max())
    }

    /// Returns whether a worker that is free to poll futures may sleep despite waiting futures.
    pub fn is_crowded(&self) -> bool {
        self.load().is_crowded(self.max())
    }

    /// Returns whether a worker may occupy itself. `is_counted` if the count includes it already.
    pub fn may_occupy(&self, is_counted: bool) -> bool {
        self.load().occupied() < self.max() + usize::from(is_counted)
    }

    /// Returns a hint that too many threads are live.
    pub fn has_surplus(&self) -> bool {
        self.surplus.load(Ordering::Relaxed)
    }
}
