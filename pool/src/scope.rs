//! Scopes: tasks that borrow.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;

use crate::end::{End, Job};
use crate::entrance::Patience;
use crate::error::SubmitError;
use crate::gate::Gate;
use crate::pool::Pool;
use crate::seat::Seat;
use crate::submit::admit;
use crate::sync::{Arc, Mutex};
use crate::task::Task;
use crate::unwind::{self, Payload};
use crate::waiter::{Outcome, Waiter};

impl Pool {
    /// Calls `f` with a scope, whose tasks may borrow what was there before it, and returns when all of them have ended.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut numbers = vec![1, 2, 3, 4, 5, 6];
    /// let (left, right) = numbers.split_at_mut(3);
    /// pool.scope(|scope| {
    ///     for part in [left, right] {
    ///         scope.submit(move || part.reverse()).expect("the pool is open");
    ///     }
    /// });
    /// assert_eq!(numbers, [3, 2, 1, 6, 5, 4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Within a task of the same pool, the calling worker runs the tasks of the scope that nobody has begun, so scopes
    /// within scopes never wait for a free worker.
    ///
    /// # Panics
    ///
    /// If `f` panics, or a task of the scope: the panic goes on here, after all tasks have ended. With several, one
    /// goes on and the others go to the pool's panic handler.
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let scope = Scope {
            gate: self.gate().clone(),
            gathering: Arc::new(Gathering(Mutex::new(State::default()))),
            lifetimes: PhantomData,
        };
        // Caught, so that nothing that the tasks borrow ends before they do.
        let result = unwind::catch(|| f(&scope));
        let in_place = Seat::serves_here(scope.gate.entrance().id());
        let panic = scope.gathering.wait(in_place);
        match (result, panic) {
            (Ok(value), None) => value,
            (Ok(_), Some(payload)) => resume_unwind(payload),
            (Err(payload), others) => {
                if let Some(other) = others {
                    scope.gate.scheduler.report(other);
                }
                resume_unwind(payload)
            }
        }
    }
}

/// What [`Pool::scope`] calls its function with: the way in for tasks that borrow. Tasks may submit others to their own
/// scope.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let words = vec!["ant", "hill"];
/// pool.scope(|scope| {
///     scope
///         .submit(|| {
///             println!("{}", words[0]);
///             scope.submit(|| println!("{}", words[1])).expect("the pool is open");
///         })
///         .expect("the pool is open");
/// });
/// # Ok(())
/// # }
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    gate: Gate,
    gathering: Arc<Gathering>,
    // Invariant in both, as in `std::thread::Scope`: a longer `'scope` would let tasks borrow what ends before them.
    lifetimes: PhantomData<(&'scope mut &'scope (), &'env mut &'env ())>,
}

impl<'scope> Scope<'scope, '_> {
    /// Runs a closure, as [`Pool::submit`] does. Within a task of the same pool, which would be refused a wait,
    /// `submit(task).unwrap_or_else(|refused| refused.into_task()())` runs it in place when the pool is full.
    pub fn submit<F>(&'scope self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        self.submit_with(f, self.gate.entrance().plain())
    }

    /// Runs a closure if a slot is free now, as [`Pool::try_submit`] does.
    pub fn try_submit<F>(&'scope self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        self.submit_with(f, Patience::None)
    }

    fn submit_with<F>(&'scope self, f: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        admit(self.gate.enter_closure(patience), f, |way, f| {
            // SAFETY: what `f` borrows lives for `'scope`, which ends after `Pool::scope` has returned or unwound. That
            // does neither before `Gathering::wait` is back, whatever the user's function does, for its panic is
            // caught; and `wait` is back only when as many tasks have ended as were added. A task ends, in
            // `Gathering::end`, after it was run or dropped. Every task is added here, before its stub can run, and
            // no later than the user's function or one of the scope's own tasks, which `wait` waits for, can call this.
            let task = unsafe { Task::erased(|(): &()| f()) };
            self.gathering.add(task);
            self.gate.submit(way, Stub(Arc::clone(&self.gathering)));
        })
    }
}

/// What a scope and its tasks share. It borrows nothing once all have ended, so stubs may come later.
struct Gathering(Mutex<State>);

#[derive(Default)]
struct State {
    /// Tasks that nobody has begun: those in the queues of the pool are mere stubs, each of which comes for one of these.
    unbegun: VecDeque<Task<()>>,
    /// Tasks that were added and have not ended.
    pending: usize,
    /// The first panic.
    panic: Option<Payload>,
    waiter: Option<Arc<Waiter>>,
}

impl Gathering {
    fn add(&self, task: Task<()>) {
        let mut state = self.0.lock();
        state.unbegun.push_back(task);
        state.pending += 1;
    }

    fn first(&self) -> Option<Task<()>> {
        self.0.lock().unbegun.pop_front()
    }

    /// The newest: what it needs is still warm, and the oldest, which is likely to be the largest part, is for others.
    fn last(&self) -> Option<Task<()>> {
        self.0.lock().unbegun.pop_back()
    }

    fn run(&self, task: Task<()>) -> End {
        let ended = unwind::catch(|| task.run(&()));
        self.end(ended, End::Completed)
    }

    /// A task was run or dropped. Its panic is kept for the one that waits, or, if there is one already, comes back.
    fn end(&self, ended: Result<(), Payload>, well: End) -> End {
        let mut state = self.0.lock();
        state.pending -= 1;
        let end = match ended {
            Ok(()) => well,
            Err(payload) if state.panic.is_none() => {
                state.panic = Some(payload);
                End::Panicked(None)
            }
            Err(payload) => End::Panicked(Some(payload)),
        };
        let waiter = if state.pending == 0 {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        if let Some(waiter) = waiter {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
        end
    }

    /// Waits until all have ended, running those itself that nobody has begun, if it may. Returns the first panic.
    fn wait(&self, in_place: bool) -> Option<Payload> {
        if in_place {
            while let Some(task) = self.last() {
                Seat::settle_here(self.run(task));
            }
        }
        loop {
            let waiter = {
                let mut state = self.0.lock();
                if state.pending == 0 {
                    return state.panic.take();
                }
                let waiter = Arc::new(Waiter::thread());
                state.waiter = Some(Arc::clone(&waiter));
                waiter
            };
            waiter.wait(None);
        }
    }
}

/// The turn of a task of a scope, whichever is the next.
struct Stub(Arc<Gathering>);

impl Job for Stub {
    fn run(self) -> End {
        // None if the one that waits has run it.
        self.0.first().map_or(End::Counted, |task| self.0.run(task))
    }

    fn discard(self) -> End {
        self.0.first().map_or(End::Counted, |task| {
            let dropped = unwind::catch(|| drop(task));
            self.0.end(dropped, End::Discarded)
        })
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("pending", &self.gathering.0.lock().pending)
            .finish_non_exhaustive()
    }
}

/// What a task borrows must live longer than the scope.
///
/// ```compile_fail,E0373
/// let pool = anthill::Pool::builder().build().unwrap();
/// pool.scope(|scope| {
///     let inside = String::new();
///     scope.submit(|| println!("{inside}")).unwrap();
/// });
/// ```
///
/// No task gets at what another has for itself.
///
/// ```compile_fail,E0499
/// let pool = anthill::Pool::builder().build().unwrap();
/// let mut count = 0;
/// pool.scope(|scope| {
///     scope.submit(|| count += 1).unwrap();
///     scope.submit(|| count += 1).unwrap();
/// });
/// ```
///
/// The scope does not get out.
///
/// ```compile_fail
/// let pool = anthill::Pool::builder().build().unwrap();
/// let scope = pool.scope(|scope| scope);
/// scope.submit(|| ()).unwrap();
/// ```
#[cfg(doctest)]
struct Borrowing;
