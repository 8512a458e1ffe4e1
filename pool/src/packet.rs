//! What a task with a result and its handle share.

use std::panic::resume_unwind;
use std::task::Waker;

use crate::end::{End, Turn};
use crate::error::JoinError;
use crate::gate::Gate;
use crate::held::HeldSlot;
use crate::helper::Helper;
use crate::panic::TaskPanic;
use crate::seat::Seat;
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::unwind::{self, Payload};
use crate::waiter::{Outcome, Waiter};

/// What a handle wants of a packet, whatever the task.
pub(crate) trait Joint<T>: Send + Sync {
    /// Has `waiter` settled when the task ends; false if it has ended.
    fn watch(&self, waiter: &Arc<Waiter>) -> bool;
    /// The result of a task that has ended, once.
    fn take(&self) -> Result<T, JoinError>;
    /// Cancels a task that is not running, and releases the slot that a closure has at `gate`. Returns whether it did.
    fn cancel(&self, gate: &Gate) -> bool;
    /// Cancels a task that is not running; a future that runs, when it suspends.
    fn cancel_soon(&self, gate: &Gate);
    /// Runs a closure that has not begun, here and now, or discards it if its entrance discards. Then it also cancels a
    /// future that is not running.
    fn end_here(&self, helper: &Helper);
    fn is_done(&self) -> bool;
    /// Nobody wants the result any more.
    fn detach(&self);
}

/// What a task has in its packet while it is not running.
pub(crate) trait Resting<T>: Send + Sized {
    /// Whether it runs wherever it is called.
    const IS_CLOSURE: bool;

    /// Runs it, if it is a closure.
    fn run(self) -> Result<T, Payload>;

    /// It will not run any more.
    fn give_up(self);

    /// Nobody will cancel it any more. A waker that was kept for that comes back: a future whose last waker it is must
    /// not keep itself alive with it.
    fn detach(&mut self) -> Option<Waker>;
}

/// A closure before its turn.
pub(crate) struct Unbegun<F>(pub(crate) F);

impl<T, F: FnOnce() -> T + Send> Resting<T> for Unbegun<F> {
    const IS_CLOSURE: bool = true;

    fn run(self) -> Result<T, Payload> {
        unwind::catch(self.0)
    }

    fn give_up(self) {}

    fn detach(&mut self) -> Option<Waker> {
        None
    }
}

/// A future between two polls: the means to have it dropped.
pub(crate) struct Suspended(pub(crate) Option<Waker>);

impl<T> Resting<T> for Suspended {
    const IS_CLOSURE: bool = false;

    fn run(self) -> Result<T, Payload> {
        unreachable!("a future is polled by its own task")
    }

    fn give_up(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }

    fn detach(&mut self) -> Option<Waker> {
        self.0.take()
    }
}

/// What a task and its handle share.
pub(crate) struct Packet<R, T>(Mutex<State<R, T>>);

struct State<R, T> {
    stage: Stage<R, T>,
    /// Who waits for the end.
    waiter: Option<Arc<Waiter>>,
    /// Whether the handle is gone.
    detached: bool,
    /// Whether the closure was ended outside of its turn, its end counted and its slot released.
    ended_elsewhere: bool,
    /// Whether a future that runs is to be cancelled when it suspends.
    cancel_soon: bool,
}

enum Stage<R, T> {
    Resting(R),
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

impl<R, T> Stage<R, T> {
    /// From resting to running, with what rested; nothing, and no change, from any other stage.
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
    /// Ends the task and notifies the waiter. `also` runs under the lock, so that a thread that sees the end sees its effect.
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
    pub(crate) fn new(resting: R) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(State {
            stage: Stage::Resting(resting),
            waiter: None,
            detached: false,
            ended_elsewhere: false,
            cancel_soon: false,
        })))
    }

    /// From resting to running; nothing if it was cancelled.
    pub(crate) fn begin(&self) -> Option<R> {
        self.0.lock().stage.take_resting()
    }

    /// The end, for its own task, of one that had not rested when that came to it.
    pub(crate) fn missed(&self) -> End {
        if self.0.lock().ended_elsewhere {
            End::Counted
        } else {
            End::Cancelled
        }
    }

    /// Whether the closure was ended outside of its turn: by the task that waits for it, or by a cancel.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.lock().ended_elsewhere
    }

    /// From running to resting.
    pub(crate) fn rest(&self, mut resting: R) {
        let mut state = self.0.lock();
        let unneeded = if state.detached {
            resting.detach()
        } else {
            None
        };
        state.stage = Stage::Resting(resting);
        let cancel = state.cancel_soon;
        drop(state);
        // Outside the lock: it may be the last waker of the very task.
        drop(unneeded);
        if cancel {
            self.cancel_suspended();
        }
    }

    /// From running to done. A joiner finds the end counted and the slot free.
    pub(crate) fn finish(&self, result: Result<T, Payload>, turn: &impl Turn) -> End {
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

    /// From resting to done: dropped because its pool discards.
    pub(crate) fn discard(&self, turn: &impl Turn) -> End {
        match self.begin() {
            Some(resting) => self.drop_undone(resting, turn),
            None => self.missed(),
        }
    }

    fn drop_undone(&self, resting: R, turn: &impl Turn) -> End {
        let dropped = unwind::catch(|| drop(resting));
        let state = self.0.lock();
        State::end(state, Err(JoinError::Cancelled), || {
            turn.end(&End::Discarded);
        });
        match dropped {
            Ok(()) => End::Counted,
            Err(payload) => End::Panicked(Some(payload)),
        }
    }

    /// From resting to done, for a future. A worker drops it.
    fn cancel_suspended(&self) -> bool {
        let stopped = self.stop();
        let was_resting = stopped.is_some();
        if let Some(resting) = stopped {
            resting.give_up();
        }
        was_resting
    }

    /// From resting to done, for a closure. What a queue still holds of it is spent.
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
        gate.sweep();
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
        true
    }

    /// From resting to running, for a closure that ends in another place than its turn.
    fn take_here(&self) -> Option<R> {
        let mut state = self.0.lock();
        let resting = state.stage.take_resting()?;
        state.ended_elsewhere = true;
        Some(resting)
    }

    /// From resting to done, cancelled; what rested comes back.
    pub(crate) fn stop(&self) -> Option<R> {
        let mut state = self.0.lock();
        let resting = state.stage.take_resting()?;
        State::end(state, Err(JoinError::Cancelled), || ());
        Some(resting)
    }
}

/// The panic of a task, in the words of its handle. It is told on the worker that ran the task.
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
                self.drop_undone(resting, turn)
            } else {
                self.finish(resting.run(), turn)
            }
        });
    }

    fn is_done(&self) -> bool {
        !matches!(self.0.lock().stage, Stage::Resting(_) | Stage::Running)
    }

    fn detach(&self) {
        let mut state = self.0.lock();
        state.detached = true;
        // It may hold the waker of the very task, which must not keep itself alive.
        let waiter = state.waiter.take();
        let (mut result, mut waker) = (None, None);
        match &mut state.stage {
            Stage::Resting(resting) => waker = resting.detach(),
            Stage::Done(_) => result = Some(std::mem::replace(&mut state.stage, Stage::Taken)),
            Stage::Running | Stage::Taken => {}
        }
        drop(state);
        // Outside the lock: the drop of a result may do anything, and that of a last waker drops the task.
        drop((result, waker, waiter));
    }
}

/// The task's side. A task that is dropped undone is cancelled.
pub(crate) struct Ticket<R: Resting<T>, T>(pub(crate) std::sync::Arc<Packet<R, T>>);

impl<R: Resting<T>, T> Drop for Ticket<R, T> {
    fn drop(&mut self) {
        drop(self.0.stop());
    }
}
