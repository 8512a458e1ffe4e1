//! Waits for the end of a task with a result.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::engine::Gate;
use crate::join::helper::Helper;
use crate::join::packet::Joint;
use crate::sync::Arc;
use crate::task::unwind;
use crate::wait::Waiter;
use crate::wait::blocking;

/// Waits for the end of a task, from a thread or a future.
///
/// May outlive the entrance's last task and handle: its gate keeps the entrance alive, and entrance
/// ids are never reused. So a worker that matches the id always runs a task of this entrance.
pub struct Watch<T> {
    // `std`'s `Arc`, even in models, because loom's `Arc` does not support `dyn`.
    pub packet: std::sync::Arc<dyn Joint<T>>,
    /// The gate where the task holds its slot.
    gate: Gate,
    /// Whether the task may run in place of a task that waits for it.
    in_place: bool,
    /// Set by the first poll.
    waiter: Option<Arc<Waiter>>,
}

impl<T> Watch<T> {
    pub fn new(packet: std::sync::Arc<dyn Joint<T>>, gate: Gate, in_place: bool) -> Self {
        Self {
            packet,
            gate,
            in_place,
            waiter: None,
        }
    }

    pub fn stay_in_order(&mut self) {
        self.in_place = false;
    }

    /// Blocks until the task has ended. If possible, the calling worker runs the task in place
    /// first, see `run_here`.
    pub fn wait(&mut self) {
        self.run_here();
        self.wait_until(None);
    }

    /// Runs the task in place if it is a closure that has not begun and the calling worker runs a
    /// task of the same entrance. The calling task does nothing meanwhile, so running tasks never
    /// outnumber slots.
    ///
    /// While the entrance discards, discards the task here, because no other worker may be free to
    /// do so.
    pub fn run_here(&self) {
        if !self.in_place {
            return;
        }
        if let Some(helper) = Helper::at(self.gate.entrance().id()) {
            self.packet.end_here(&helper);
        }
    }

    pub fn cancel(&self) -> bool {
        self.packet.cancel(&self.gate)
    }

    /// Cancels the task on behalf of a dropped handle. Reports a panic of a dropped capture, which
    /// must not unwind out of a drop.
    pub fn cancel_dropped(&self) {
        if let Err(payload) = unwind::catch(|| self.cancel_soon()) {
            self.gate.scheduler.report(payload);
        }
    }

    pub fn cancel_soon(&self) {
        self.packet.cancel_soon(&self.gate);
    }

    /// Blocks until the task has ended. Returns false if the deadline passes first.
    pub fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        // A packet notifies only its last waiter, so a later poll must register again.
        self.waiter = None;
        let waiter = Arc::new(Waiter::thread());
        if !self.packet.watch(&waiter) {
            return true;
        }
        blocking::check();
        waiter.wait(deadline).is_some()
    }

    /// Polls for the end of the task.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

/// A clone watches the same task, without a waiter.
impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        let packet = std::sync::Arc::clone(&self.packet);
        Self::new(packet, self.gate.clone(), self.in_place)
    }
}
