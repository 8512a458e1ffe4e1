//! The workers that sleep.

use crate::parker::Parker;
use crate::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Stack {
    /// The newest sleeper on top.
    pub(super) sleepers: Vec<Arc<Parker>>,
    /// The worker that waits in the reactor: woken after all others, so that events go on being waited for.
    pub(super) in_reactor: Option<Arc<Parker>>,
    /// Workers that have expired or are too many and still count as live, so that no two leave where only one may.
    pub(super) leaving: usize,
    /// Whether one more than `max` may live, because one was started for futures.
    pub(super) has_extra: bool,
}

impl Stack {
    pub(super) fn pop(&mut self) -> Option<Arc<Parker>> {
        self.sleepers.pop().or_else(|| self.in_reactor.take())
    }

    pub(super) fn remove(&mut self, parker: &Arc<Parker>) -> bool {
        let holder = self
            .in_reactor
            .take_if(|holder| Arc::ptr_eq(holder, parker));
        if holder.is_some() {
            return true;
        }
        // From the top: a worker that withdraws mostly came last.
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
