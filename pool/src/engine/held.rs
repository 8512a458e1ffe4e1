//! A slot that a task holds until its end.

use std::cell::Cell;

use crate::admission::Released;
use crate::engine::gate;
use crate::engine::gate::Gate;
use crate::engine::seat::Seat;
use crate::task::{End, Turn};

/// The slot of a task that ends outside of a worker's turn: a future, or a closure that is
/// cancelled. Releases the slot when dropped, unless released before.
pub struct HeldSlot<'a> {
    pub gate: &'a Gate,
    state: Cell<State>,
}

#[derive(Clone, Copy)]
enum State {
    Undone,
    /// The end is counted.
    Ended,
    /// The end is counted and the slot released.
    Released(Released),
}

impl<'a> HeldSlot<'a> {
    pub fn new(gate: &'a Gate) -> Self {
        Self {
            gate,
            state: Cell::new(State::Undone),
        }
    }

    /// Counts the end unless it is counted already, and reports a panic that no handle receives.
    pub fn settle(&self, end: End) {
        if let State::Undone = self.state.get() {
            gate::count(&self.gate.scheduler, &end);
            self.state.set(State::Ended);
        }
        if let End::Panicked(Some(payload)) = end {
            self.gate.scheduler.report(payload);
        }
    }
}

impl Turn for HeldSlot<'_> {
    fn begin(&self) {}

    fn end(&self, end: &End) {
        gate::count(&self.gate.scheduler, end);
        let slots = &self.gate.entrance().slots;
        self.state.set(State::Released(slots.release_quietly(1)));
    }
}

impl Drop for HeldSlot<'_> {
    fn drop(&mut self) {
        if let State::Undone = self.state.get() {
            let end = if self.gate.entrance().is_discarding() {
                End::Discarded
            } else {
                End::Cancelled
            };
            gate::count(&self.gate.scheduler, &end);
        }
        Seat::without_slot(|| match self.state.get() {
            State::Released(released) => {
                self.gate
                    .scheduler
                    .follow_up(self.gate.entrance(), released);
            }
            State::Undone | State::Ended => self.gate.release(1),
        });
    }
}
