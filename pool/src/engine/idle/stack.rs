//! The stack of sleeping workers.

use crate::sync::Arc;
use crate::wait::Parker;

#[derive(Debug, Default)]
pub struct Stack {
    /// The last sleeper is on top.
    pub sleepers: Vec<Arc<Parker>>,
    /// The worker that waits in the reactor. It is woken last, so that events are still handled.
    pub in_reactor: Option<Arc<Parker>>,
    /// Expired or surplus workers that still count as live. Subtract them, or two workers retire
    /// where one should.
    pub leaving: usize,
    /// Whether `max + 1` threads may live, because one was started for futures.
    pub has_extra: bool,
}

impl Stack {
    pub fn pop(&mut self) -> Option<Arc<Parker>> {
        self.sleepers.pop().or_else(|| self.in_reactor.take())
    }

    pub fn remove(&mut self, parker: &Arc<Parker>) -> bool {
        let holder = self
            .in_reactor
            .take_if(|holder| Arc::ptr_eq(holder, parker));
        if holder.is_some() {
            return true;
        }
        // Search from the top: a worker that withdraws usually slept last.
        let place = self
            .sleepers
            .iter()
            .rposition(|other| Arc::ptr_eq(other, parker));
        if let Some(place) = place {
            self.sleepers.remove(place);
        }
        place.is_some()
    }
}
