//! State shared by a task with a result and its handle.

use std::panic::resume_unwind;

use crate::engine::Gate;
use crate::engine::HeldSlot;
use crate::engine::Seat;
use crate::errors::JoinError;
use crate::figures::trace;
use crate::join::helper::Helper;
use crate::join::resting::Resting;
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::task::TaskPanic;
use crate::task::{End, Turn};
use crate::task::{Payload, unwind};
use crate::wait::{Outcome, Waiter};

/// The handle's view of a packet, without the type of the task.
pub trait Joint<T>: Send + Sync {
    /// Registers `waiter` for the end of the task. Returns false if the task has ended.
    fn watch(&self, waiter: &Arc<Waiter>) -> bool;
    /// Takes the result of a task that has ended. Call it once.
    fn take(&self) -> Result<T, JoinError>;
    /// Cancels a task that is not running, and releases the slot that a closure holds at `gate`.
    /// Returns whether it cancelled the task.
    fn cancel(&self, gate: &Gate) -> bool;
    /// Cancels a task that is not running. A running future is cancelled when it suspends.
    fn cancel_soon(&self, gate: &Gate);
    /// Runs a closure that has not begun. If its entrance discards, discards the closure, or
    /// cancels a future that is not running.
    fn end_here(&self, helper: &Helper);
    fn is_done(&self) -> bool;
    /// Returns whether the result was taken.
    fn is_taken(&self) -> bool;
    /// Drops the handle's claim to the result.
    fn detach(&self);
}

/// State shared by a task and its handle.
pub struct Packet<R, T>(Mutex<State<R, T>>);

struct State<R, T> {
    stage: Stage<R, T>,
    /// The waiter for the end.
    waiter: Option<Arc<Waiter>>,
    /// Whether the handle was dropped.
    detached: bool,
    /// Whether the closure was ended outside of its turn, with its end counted and its slot
    /// released.
    ended_elsewhere: bool,
    /// Whether to cancel a running future when it suspends.
    cancel_soon: bool,
}

enum Stage<R, T> {
    Resting(R),
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

impl<R, T> Stage<R, T> {
    /// From resting to running. Returns what rested, or `None` and no change in any other stage.
    fn take_resting(&mut self) -> Option<R> {
        match std::mem::replace(self, Self::Running) {
            Self::Resting(resting) => Some(resting),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<R, T> State<R, T> {
    /// Ends the task and notifies the waiter. Calls `also` under the lock, so that a thread that
    /// sees the end sees its effect.
    fn end(mut state: MutexGuard<'_, Self>, result: Result<T, JoinError>, also: impl FnOnce()) {
        state.stage = Stage::Done(result);
        also();
        let waiter = state.waiter.take();
        // A waker is foreign code, which must not run under the lock.
        drop(state);
        if let Some(waiter) = waiter {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
    }
}

impl<R: Resting<T>, T> Packet<R, T> {
    pub fn new(resting: R) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(State {
            stage: Stage::Resting(resting),
            waiter: None,
            detached: false,
            ended_elsewhere: false,
            cancel_soon: false,
        })))
    }

    /// From resting to running. `None` if the task was cancelled.
    pub fn begin(&self) -> Option<R> {
        self.0.lock().stage.take_resting()
    }

    /// Returns the end to report for a task whose closure no longer rested at its turn.
    pub fn missed(&self) -> End {
        if self.0.lock().ended_elsewhere {
            End::Counted
        } else {
            End::Cancelled
        }
    }

    /// Returns whether the closure was ended outside of its turn: by the task that waits for it, or
    /// by a cancel.
    pub fn is_spent(&self) -> bool {
        self.0.lock().ended_elsewhere
    }

    /// From running to resting.
    pub fn rest(&self, mut resting: R) {
        let mut state = self.0.lock();
        let cancel = state.cancel_soon;
        // A cancel needs the waker, or the task would live until something else wakes it.
        let unneeded = if state.detached && !cancel {
            resting.detach()
        } else {
            None
        };
        state.stage = Stage::Resting(resting);
        drop(state);
        // Outside the lock: it may be the last waker of this very task.
        drop(unneeded);
        if cancel {
            self.cancel_suspended();
        }
    }

    /// From running to done. A joiner finds the end counted and the slot free.
    pub fn finish(&self, result: Result<T, Payload>, turn: &impl Turn) -> End {
        let mut state = self.0.lock();
        if state.detached {
            state.stage = Stage::Taken;
            drop(state);
            return match result {
                Ok(unwanted) => {
                    drop(unwanted);
                    End::Completed
                }
                Err(payload) => End::Panicked(Some(payload)),
            };
        }
        let end = if result.is_ok() {
            End::Completed
        } else {
            End::Panicked(None)
        };
        State::end(state, result.map_err(panicked), || turn.end(&end));
        End::Counted
    }

    /// From resting to done: the pool discards the task.
    pub fn discard(&self, turn: &impl Turn) -> End {
        match self.begin() {
            Some(resting) => self.drop_undone(resting, &End::Discarded, turn),
            None => self.missed(),
        }
    }

    /// From running to done: runs the closure, unless it begins too late.
    pub fn run(&self, mut resting: R, turn: &impl Turn) -> End {
        if resting.begins_late() {
            trace::expired();
            return self.drop_undone(resting, &End::Expired, turn);
        }
        turn.begin();
        self.finish(resting.run(), turn)
    }

    /// From running to done, for a task that does not run.
    fn drop_undone(&self, resting: R, end: &End, turn: &impl Turn) -> End {
        let dropped = unwind::catch(|| drop(resting));
        self.end_undone(end, turn);
        match dropped {
            Ok(()) => End::Counted,
            Err(payload) => End::Panicked(Some(payload)),
        }
    }

    /// From running to done, for a task that was dropped.
    pub fn end_undone(&self, end: &End, turn: &impl Turn) {
        let error = match end {
            End::Expired => JoinError::Expired,
            _ => JoinError::Cancelled,
        };
        State::end(self.0.lock(), Err(error), || turn.end(end));
    }

    /// From running to done, for a future whose end was lost on its way to the task.
    pub fn lose(&self) {
        State::end(self.0.lock(), Err(JoinError::Cancelled), || ());
    }

    /// From resting to done, for a future. A worker drops the future.
    fn cancel_suspended(&self) -> bool {
        let stopped = self.stop();
        let was_resting = stopped.is_some();
        if let Some(resting) = stopped {
            resting.give_up();
        }
        was_resting
    }

    /// From resting to done, for a closure. Its entry in a queue is then spent.
    fn cancel_unbegun(&self, gate: &Gate) -> bool {
        let Some(resting) = self.take_here() else {
            return false;
        };
        let dropped = unwind::catch(|| drop(resting));
        let slot = HeldSlot::new(gate);
        State::end(self.0.lock(), Err(JoinError::Cancelled), || {
            slot.end(&End::Cancelled);
        });
        drop(slot);
        gate.scheduler.sweep();
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
        true
    }

    /// From resting to running, for a closure that ends outside of its turn.
    fn take_here(&self) -> Option<R> {
        let mut state = self.0.lock();
        let resting = state.stage.take_resting()?;
        state.ended_elsewhere = true;
        Some(resting)
    }

    /// From resting to done, cancelled. Returns what rested.
    pub fn stop(&self) -> Option<R> {
        let mut state = self.0.lock();
        let resting = state.stage.take_resting()?;
        State::end(state, Err(JoinError::Cancelled), || ());
        Some(resting)
    }
}

/// Converts a panic of a task to the error that its handle returns. Called on the worker that ran
/// the task, whose pool it names.
fn panicked(payload: Payload) -> JoinError {
    let pool = Seat::here().map(|scheduler| std::sync::Arc::clone(&scheduler.settings.name));
    JoinError::Panicked(TaskPanic::new(payload, pool.unwrap_or_default()))
}

impl<R: Resting<T>, T: Send> Joint<T> for Packet<R, T> {
    fn watch(&self, waiter: &Arc<Waiter>) -> bool {
        let mut state = self.0.lock();
        let waits = matches!(state.stage, Stage::Resting(_) | Stage::Running);
        let replaced = if waits {
            state.waiter.replace(Arc::clone(waiter))
        } else {
            None
        };
        drop(state);
        // Outside the lock: dropping a waker runs foreign code, which may wait for this very task.
        drop(replaced);
        waits
    }

    fn take(&self) -> Result<T, JoinError> {
        let stage = std::mem::replace(&mut self.0.lock().stage, Stage::Taken);
        let Stage::Done(result) = stage else {
            panic!("a result is taken once, when it is there");
        };
        result
    }

    fn cancel(&self, gate: &Gate) -> bool {
        if R::IS_CLOSURE {
            self.cancel_unbegun(gate)
        } else {
            self.cancel_suspended()
        }
    }

    fn cancel_soon(&self, gate: &Gate) {
        self.0.lock().cancel_soon = true;
        self.cancel(gate);
    }

    fn end_here(&self, helper: &Helper) {
        if !R::IS_CLOSURE {
            if helper.discards() {
                self.cancel_suspended();
            }
            return;
        }
        let Some(resting) = self.take_here() else {
            return;
        };
        helper.end(|turn, discards| {
            if discards {
                self.drop_undone(resting, &End::Discarded, turn)
            } else {
                self.run(resting, turn)
            }
        });
    }

    fn is_taken(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Taken)
    }

    fn is_done(&self) -> bool {
        !matches!(self.0.lock().stage, Stage::Resting(_) | Stage::Running)
    }

    fn detach(&self) {
        let mut state = self.0.lock();
        state.detached = true;
        // It may hold the waker of this very task, which must not keep itself alive.
        let waiter = state.waiter.take();
        let (mut result, mut waker) = (None, None);
        match &mut state.stage {
            Stage::Resting(resting) => waker = resting.detach(),
            Stage::Done(_) => result = Some(std::mem::replace(&mut state.stage, Stage::Taken)),
            Stage::Running | Stage::Taken => {}
        }
        drop(state);
        // Outside the lock: dropping a result runs foreign code, and dropping a last waker drops
        // the task.
        drop((result, waker, waiter));
    }
}

/// The task's reference to the packet. Dropping it cancels an unfinished task.
pub struct Ticket<R: Resting<T>, T>(pub std::sync::Arc<Packet<R, T>>);

impl<R: Resting<T>, T> Drop for Ticket<R, T> {
    fn drop(&mut self) {
        drop(self.0.stop());
    }
}
