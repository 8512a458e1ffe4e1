//! Scopes: tasks that borrow.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};

use crate::end::{End, Job};
use crate::entrance::Patience;
use crate::error::SubmitError;
use crate::gate::{Gate, Way};
use crate::pool::Pool;
use crate::seat::Seat;
use crate::submit::admit;
use crate::sync::{Arc, Mutex};
use crate::task::Task;
use crate::unwind::{self, Payload};
use crate::waiter::{Outcome, Waiter};

impl Pool {
    /// Calls `f` with a scope, whose tasks may borrow what was there before it, and returns when all of them have ended.
    /// Those that a [`discard`](Self::discard) drops have ended too, without having run.
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
    /// Within a task that has its slot at the same entrance, the calling worker runs the tasks of the scope that nobody
    /// has begun, so scopes within scopes never wait for a free worker. On any other worker of the pool, such as one
    /// that runs a task of a subpool, it holds that worker up, and for ever if all workers do so.
    ///
    /// # Panics
    ///
    /// If `f` panics, or a task of the scope: the panic goes on here, after all tasks have ended. With several, one
    /// goes on and the others go to the pool's panic handler. Also if tasks of the scope were
    /// [discarded](Self::discard), since what they were to do is not done.
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let scope = Scope {
            gate: self.gate().clone(),
            gathering: Arc::new(Gathering(Mutex::new(State::default()))),
            lifetimes: PhantomData,
        };
        // Whatever panics below: nothing that the tasks borrow ends before they do.
        let until_all_have_ended = AllEnded(&scope.gathering);
        let result = unwind::catch(|| f(&scope));
        scope.gathering.help(scope.gate.entrance().id());
        drop(until_all_have_ended);
        let (panic, discarded) = scope.gathering.take_ends();
        match (result, panic) {
            (Ok(_), None) if discarded > 0 => {
                panic!("the pool discarded {discarded} tasks of the scope")
            }
            (Ok(value), None) => value,
            (Ok(_), Some(payload)) => resume_unwind(unwind::unmark(payload).0),
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let mut sums = [0; 2];
    /// pool.scope(|scope| {
    ///     for (sum, part) in sums.iter_mut().zip([1..=50, 51..=100]) {
    ///         scope.submit(|| *sum = part.sum::<u32>()).expect("the pool is open");
    ///     }
    /// });
    /// assert_eq!(sums, [1275, 3775]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&'scope self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        self.submit_with(f, self.gate.entrance().plain())
    }

    /// Runs a closure if a slot is free now, as [`Pool::try_submit`] does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, mut done) = (pool.slot()?, false);
    /// pool.scope(|scope| {
    ///     let task = || done = true;
    ///     scope.try_submit(task).unwrap_or_else(|refused| refused.into_task()());
    /// });
    /// assert!(done); // in this thread, as the pool is full
    /// # Ok(())
    /// # }
    /// ```
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
            // SAFETY: what `f` borrows lives for `'scope`, which ends after `Pool::scope` has returned or unwound. It
            // does neither before the drop of `AllEnded`, which stands before the user's function is called and so runs
            // on every way out; and that drop is over only when as many tasks have ended as were added. A task ends, in
            // `Gathering::end`, after it was run or dropped. Every task is added here, before its stub can run, and
            // no later than the user's function or one of the scope's own tasks, which are waited for, can call this.
            let task = unsafe { Task::erased(|(): &()| f()) };
            let gathering = Arc::clone(&self.gathering);
            let stub = match way {
                Way::Slot => {
                    gathering.add(task);
                    Stub::of_any(gathering)
                }
                Way::InPlace => {
                    gathering.begin();
                    Stub::of(task, gathering)
                }
            };
            self.gate.submit(way, stub);
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
    discarded: usize,
    waiter: Option<Arc<Waiter>>,
    /// Whether the one that waits runs tasks meanwhile, and is to be told of new ones.
    helped: bool,
}

impl Gathering {
    fn add(&self, task: Task<()>) {
        let mut state = self.0.lock();
        state.unbegun.push_back(task);
        state.pending += 1;
        let helper = if state.helped {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        tell(helper);
    }

    /// As `add`, for a task that is about to run.
    fn begin(&self) {
        self.0.lock().pending += 1;
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

    fn discard(&self, task: Task<()>) -> End {
        let dropped = unwind::catch(|| drop(task));
        self.0.lock().discarded += 1;
        self.end(dropped, End::Discarded)
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
        tell(waiter);
        end
    }

    /// Until all have ended, runs those that nobody has begun, if the calling thread runs a task of the same entrance.
    fn help(&self, entrance: usize) {
        while Seat::may_run_here(entrance) {
            while let Some(task) = self.last() {
                Seat::settle_here(self.run(task));
            }
            if self.wait(true) {
                return;
            }
        }
    }

    /// Waits until all have ended; or, as a helper, until there is something to do. True if all have ended.
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

    /// The first panic, and how many were discarded.
    fn take_ends(&self) -> (Option<Payload>, usize) {
        let mut state = self.0.lock();
        (state.panic.take(), state.discarded)
    }
}

fn tell(waiter: Option<Arc<Waiter>>) {
    if let Some(waiter) = waiter {
        waiter.settle(Outcome::Granted);
        waiter.wake();
    }
}

/// Does not go before all tasks have ended.
struct AllEnded<'a>(&'a Gathering);

impl Drop for AllEnded<'_> {
    fn drop(&mut self) {
        while !self.0.wait(false) {}
    }
}

/// The turn of a task of a scope. It comes for a task also when it is dropped.
struct Stub {
    gathering: Arc<Gathering>,
    /// Its own; else it takes whichever is the next.
    task: Option<Task<()>>,
    come: bool,
}

impl Stub {
    fn of(task: Task<()>, gathering: Arc<Gathering>) -> Self {
        Self {
            gathering,
            task: Some(task),
            come: false,
        }
    }

    fn of_any(gathering: Arc<Gathering>) -> Self {
        Self {
            gathering,
            task: None,
            come: false,
        }
    }

    /// The task, once. None if the one that waits has run it.
    fn take(&mut self) -> Option<Task<()>> {
        if std::mem::replace(&mut self.come, true) {
            return None;
        }
        self.task.take().or_else(|| self.gathering.first())
    }
}

impl Job for Stub {
    fn run(mut self) -> End {
        self.take()
            .map_or(End::Counted, |task| self.gathering.run(task))
    }

    fn discard(mut self) -> End {
        self.take()
            .map_or(End::Counted, |task| self.gathering.discard(task))
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            self.gathering.discard(task);
        }
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
impl UnwindSafe for Scope<'_, '_> {}
impl RefUnwindSafe for Scope<'_, '_> {}

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
