//! Waiting for the end of a task with a result.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::gate::Gate;
use crate::helper::Helper;
use crate::packet::Joint;
use crate::sync::Arc;
use crate::waiter::Waiter;

/// One that waits for the end of a task: a thread, or a future.
pub(crate) struct Watch<T> {
    // The standard library's, also in a model: only it can forget the type of the task.
    pub(crate) packet: std::sync::Arc<dyn Joint<T>>,
    /// Where the task has its slot.
    gate: Gate,
    /// Whether it may run in place of a task that waits for it.
    in_place: bool,
    /// Set by the first poll.
    waiter: Option<Arc<Waiter>>,
}

impl<T> Watch<T> {
    pub(crate) fn new(packet: std::sync::Arc<dyn Joint<T>>, gate: Gate, in_place: bool) -> Self {
        Self {
            packet,
            gate,
            in_place,
            waiter: None,
        }
    }

    pub(crate) fn stay_in_order(&mut self) {
        self.in_place = false;
    }

    /// Waits for the end. If the calling worker runs a task of the same entrance, and the one that it waits for is a
    /// closure that has not begun, it is run here: no more tasks run at once than there are slots, since the one that
    /// waits does nothing else.
    pub(crate) fn wait(&mut self) {
        self.run_here();
        self.wait_until(None);
    }

    /// Runs the task here if `wait` would. Discards it while the entrance discards, because no other worker may be free to.
    pub(crate) fn run_here(&self) {
        if !self.in_place {
            return;
        }
        if let Some(helper) = Helper::at(self.gate.entrance().id()) {
            self.packet.end_here(&helper);
        }
    }

    pub(crate) fn cancel(&self) -> bool {
        self.packet.cancel(&self.gate)
    }

    pub(crate) fn cancel_soon(&self) {
        self.packet.cancel_soon(&self.gate);
    }

    /// Waits for the end until `deadline`; false when that passed first.
    pub(crate) fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        // A packet tells one waiter: another poll must bring its own again.
        self.waiter = None;
        let waiter = Arc::new(Waiter::thread());
        !self.packet.watch(&waiter) || waiter.wait(deadline).is_some()
    }

    /// Waits for the end in a future.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiter.is_none() {
            let waiter = Arc::new(Waiter::task(cx.waker()));
            if !self.packet.watch(&waiter) {
                return Poll::Ready(());
            }
            self.waiter = Some(waiter);
        }
        let waiter = self.waiter.as_ref().expect("it was set just now");
        waiter.poll(cx).map(|_| ())
    }
}

/// The same task, watched anew.
impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        let packet = std::sync::Arc::clone(&self.packet);
        Self::new(packet, self.gate.clone(), self.in_place)
    }
}
