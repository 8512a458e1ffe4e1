//! Scopes: tasks that borrow.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};

use crate::entrance::Patience;
use crate::error::{SlotError, SubmitError};
use crate::gate::Gate;
use crate::gathering::{AllEnded, Gathering, Stub};
use crate::pool::Pool;
use crate::sync::Arc;
use crate::task::Task;
use crate::unwind::{self, Payload};

impl Pool {
    /// Calls `f` with a scope, whose tasks may borrow what was there before it, and returns when all of them have ended.
    /// Those that a [`discard`](Self::discard) drops have ended too, and make it panic.
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
        // Panic after the scope is dropped: a drop during unwinding may switch threads in a model.
        match self.run_scope(f) {
            Ok(value) => value,
            Err(Failure::Panic(payload)) => resume_unwind(payload),
            Err(Failure::Discarded(count)) => {
                panic!("the pool discarded {count} tasks of the scope")
            }
        }
    }

    fn run_scope<'env, F, R>(&self, f: F) -> Result<R, Failure>
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let scope = Scope {
            gate: self.gate().clone(),
            gathering: Gathering::new(),
            lifetimes: PhantomData,
        };
        // Whatever panics below: nothing that the tasks borrow ends before they do.
        let until_all_have_ended = AllEnded(&scope.gathering);
        let result = unwind::catch(|| f(&scope));
        scope.gathering.help(scope.gate.entrance().id());
        drop(until_all_have_ended);
        let (panic, discarded) = scope.gathering.take_ends();
        match (result, panic) {
            (Ok(_), None) if discarded > 0 => Err(Failure::Discarded(discarded)),
            (Ok(value), None) => Ok(value),
            (Ok(_), Some(payload)) => Err(Failure::Panic(unwind::unmark(payload).0)),
            (Err(payload), others) => {
                if let Some(other) = others {
                    scope.gate.scheduler.report(other);
                }
                Err(Failure::Panic(payload))
            }
        }
    }
}

/// Why a scope returns no value.
enum Failure {
    Panic(Payload),
    Discarded(usize),
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
    /// Submits a closure, and blocks the calling thread while no slot is free.
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
    ///
    /// # Errors
    ///
    /// As for [`Pool::submit`]. The closure is dropped.
    pub fn submit<F>(&'scope self, f: F) -> Result<(), SlotError>
    where
        F: FnOnce() + Send + 'scope,
    {
        self.gate.enter(self.gate.entrance().plain())?;
        self.accept(f);
        Ok(())
    }

    /// Submits a closure if a slot is free now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, mut done) = (pool.try_slot()?, false);
    /// pool.scope(|scope| {
    ///     let task = || done = true;
    ///     scope.try_submit(task).unwrap_or_else(|refused| refused.into_task()());
    /// });
    /// assert!(done); // on this thread, because the pool was full
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Pool::try_submit`], with the closure.
    pub fn try_submit<F>(&'scope self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        if let Err(reason) = self.gate.enter(Patience::None) {
            return Err(SubmitError::new(reason, f));
        }
        self.accept(f);
        Ok(())
    }

    /// Runs a closure that has a slot.
    fn accept<F>(&'scope self, f: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        // SAFETY: what `f` borrows lives for `'scope`, which ends after `Pool::scope` has returned or unwound. It
        // does neither before the drop of `AllEnded`, which stands before the user's function is called and so runs
        // on every way out; and that drop is over only when as many tasks have ended as were added. A task ends, in
        // `Gathering::end`, after it was run or dropped. Every task is added here, before its stub can run, and
        // no later than the user's function or one of the scope's own tasks, which are waited for, can call this.
        let task = unsafe { Task::erased(|(): &()| f()) };
        self.gathering.add(task);
        self.gate.submit(Stub::new(Arc::clone(&self.gathering)));
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
impl UnwindSafe for Scope<'_, '_> {}
impl RefUnwindSafe for Scope<'_, '_> {}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("pending", &self.gathering.pending())
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
