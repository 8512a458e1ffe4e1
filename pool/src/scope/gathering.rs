//! State shared by a scope and its tasks.

use std::collections::VecDeque;

use crate::join::Helper;
use crate::sync::{Arc, Mutex};
use crate::task::Task;
use crate::task::{End, Job, NoTurn, Turn};
use crate::task::{Payload, unwind};
use crate::wait::{Outcome, Waiter};

/// The tasks of a scope. Borrows nothing once all tasks have ended, so stubs may outlive the scope.
pub struct Gathering(Mutex<State>);

#[derive(Default)]
struct State {
    /// Tasks that have not begun. The queues of the pool hold stubs, each of which takes one of
    /// these.
    unbegun: VecDeque<Task<()>>,
    /// The number of tasks that were added and have not ended.
    pending: usize,
    /// The first panic.
    panic: Option<Payload>,
    discarded: usize,
    waiter: Option<Arc<Waiter>>,
    /// Whether the waiter runs tasks itself, and is notified of new ones.
    helped: bool,
}

impl Gathering {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::default())))
    }

    /// Returns the number of tasks that have not ended.
    pub fn pending(&self) -> usize {
        self.0.lock().pending
    }

    pub fn add(&self, task: Task<()>) {
        let mut state = self.0.lock();
        state.unbegun.push_back(task);
        state.pending += 1;
        let helper = if state.helped {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        wake(helper);
    }

    fn first(&self) -> Option<Task<()>> {
        self.0.lock().unbegun.pop_front()
    }

    fn run(&self, task: Task<()>, turn: &impl Turn) -> End {
        let ended = unwind::catch(|| task.run(&()));
        self.end(ended, End::Completed, turn)
    }

    fn discard(&self, task: Task<()>, turn: &impl Turn) -> End {
        let dropped = unwind::catch(|| drop(task));
        self.0.lock().discarded += 1;
        self.end(dropped, End::Discarded, turn)
    }

    /// Records a task that was run or dropped. Keeps its panic for the waiter, or returns it if
    /// there is one already.
    fn end(&self, ended: Result<(), Payload>, well: End, turn: &impl Turn) -> End {
        let mut state = self.0.lock();
        state.pending -= 1;
        let (end, extra) = match ended {
            Ok(()) => (well, None),
            Err(payload) if state.panic.is_none() => {
                state.panic = Some(payload);
                (End::Panicked(None), None)
            }
            Err(payload) => (End::Panicked(None), Some(payload)),
        };
        turn.end(&end);
        let waiter = if state.pending == 0 {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        wake(waiter);
        match extra {
            None => End::Counted,
            Some(payload) => End::Panicked(Some(payload)),
        }
    }

    /// Helps if the calling thread runs a task of the same entrance. Runs tasks that have not
    /// begun, oldest first, or discards them while the entrance discards. Then returns when all
    /// tasks have ended.
    pub fn help(&self, entrance: usize) {
        let Some(helper) = Helper::at(entrance) else {
            return;
        };
        loop {
            if let Some(task) = self.first() {
                helper.end(|turn, discards| {
                    if discards {
                        self.discard(task, turn)
                    } else {
                        self.run(task, turn)
                    }
                });
            } else if self.wait(true) {
                return;
            }
        }
    }

    /// Waits until all tasks have ended or, as a helper, until a task can be run. Returns whether
    /// all have ended.
    fn wait(&self, helps: bool) -> bool {
        let waiter = {
            let mut state = self.0.lock();
            if state.pending == 0 {
                return true;
            }
            if helps && !state.unbegun.is_empty() {
                return false;
            }
            state.helped = helps;
            let waiter = Arc::new(Waiter::thread());
            state.waiter = Some(Arc::clone(&waiter));
            waiter
        };
        waiter.wait(None);
        false
    }

    /// Returns the first panic and the number of discarded tasks.
    pub fn take_ends(&self) -> (Option<Payload>, usize) {
        let mut state = self.0.lock();
        (state.panic.take(), state.discarded)
    }
}

fn wake(waiter: Option<Arc<Waiter>>) {
    if let Some(waiter) = waiter {
        waiter.settle(Outcome::Granted);
        waiter.wake();
    }
}

/// Blocks on drop until all tasks have ended.
pub struct AllEnded<'a>(pub &'a Gathering);

impl Drop for AllEnded<'_> {
    fn drop(&mut self) {
        while !self.0.wait(false) {}
    }
}

/// The entry of a scope's task in a queue. Takes the next task that has not begun, once: when run,
/// discarded or dropped.
pub struct Stub {
    gathering: Arc<Gathering>,
    has_taken: bool,
}

impl Stub {
    pub fn new(gathering: Arc<Gathering>) -> Self {
        Self {
            gathering,
            has_taken: false,
        }
    }

    /// Takes the task. `None` if the task that waits for the scope has run it.
    fn take(&mut self) -> Option<Task<()>> {
        if std::mem::replace(&mut self.has_taken, true) {
            return None;
        }
        self.gathering.first()
    }
}

impl Job for Stub {
    const ENDS_TURN: bool = true;

    fn run(mut self, turn: &impl Turn) -> End {
        let Some(task) = self.take() else {
            return End::Counted;
        };
        turn.begin();
        self.gathering.run(task, turn)
    }

    fn discard(mut self, turn: &impl Turn) -> End {
        match self.take() {
            Some(task) => self.gathering.discard(task, turn),
            None => End::Counted,
        }
    }

    fn is_spent(&mut self) -> bool {
        // A spent stub must take no task, or a task that is added before the stub is dropped would
        // be lost.
        self.has_taken |= self.gathering.0.lock().unbegun.is_empty();
        self.has_taken
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            // The pool was dropped, with its slots, statistics and panic handler.
            if let End::Panicked(Some(payload)) = self.gathering.discard(task, &NoTurn) {
                unwind::discard(payload);
            }
        }
    }
}
