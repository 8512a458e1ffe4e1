//! Scopes: tasks that borrow.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};

use crate::engine::Gate;
use crate::engine::Patience;
use crate::errors::{SlotError, SubmitError};
use crate::pool::Pool;
use crate::scope::gathering::{AllEnded, Gathering, Stub};
use crate::sync::Arc;
use crate::task::Task;
use crate::task::{Payload, unwind};
use crate::wait::blocking;

impl Pool {
    /// Calls `f` with a scope, whose tasks may borrow values from outside it, and returns when all
    /// of them have ended.
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
    /// In a task of the same pool or subpool, the calling worker itself runs tasks of the scope
    /// that have not begun. So nested scopes never wait for a free worker. On any other worker of
    /// the pool, such as in a task of a subpool, the call blocks that worker. If all workers block
    /// like this, they deadlock.
    ///
    /// # Panics
    ///
    /// If `f` or a task of the scope panics, the panic resumes here after all tasks have ended. Of
    /// several panics one resumes, and the pool's panic handler receives the others. Also panics if
    /// a [`discard`](Self::discard) dropped tasks of the scope, because their work is missing. With
    /// the feature `tokio`, also if the calling thread drives async tasks of tokio.
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        // Check before there is a task: a panic later would end what the tasks borrow.
        blocking::check();
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
        // Created before any code that may panic, so that the tasks end before their borrows do.
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

/// Why a scope returned no value.
enum Failure {
    Panic(Payload),
    Discarded(usize),
}

/// Submits tasks that borrow; the argument of the closure in [`Pool::scope`]. Tasks may submit more
/// tasks to their own scope.
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
    // Invariant in both, as in `std::thread::Scope`. Otherwise a longer `'scope` would let tasks
    // borrow values that end before the tasks do.
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
    /// The errors of [`Pool::submit`]. The closure is dropped.
    pub fn submit<F>(&'scope self, f: F) -> Result<(), SlotError>
    where
        F: FnOnce() + Send + 'scope,
    {
        self.gate.enter(self.gate.entrance().plain(), 1)?;
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
    /// The errors of [`Pool::try_submit`], with the closure.
    pub fn try_submit<F>(&'scope self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'scope,
    {
        if let Err(reason) = self.gate.enter(Patience::None, 1) {
            return Err(SubmitError::new(reason, f));
        }
        self.accept(f);
        Ok(())
    }

    /// Enqueues a closure that holds a slot.
    fn accept<F>(&'scope self, f: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        // `AllEnded` is created before the user's function is called, so its drop runs on every exit
        // path of `Pool::scope`. The drop returns only when as many tasks have ended as were added:
        // here, before a stub can run, by the user's function or by a task that it waits for.
        // SAFETY: What `f` borrows lives for `'scope`, which ends after `Pool::scope` has returned
        // or unwound. `Pool::scope` does neither before the drop of `AllEnded` has returned, and a
        // task ends, in `Gathering::end`, only after it was run or dropped.
        let task = unsafe {
            match self.gate.context() {
                None => Task::erased(|(): &()| f()),
                Some(context) => Task::erased(|(): &()| context.closure(f)()),
            }
        };
        self.gathering.add(task);
        self.gate.submit(Stub::new(Arc::clone(&self.gathering)));
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl UnwindSafe for Scope<'_, '_> {}
impl RefUnwindSafe for Scope<'_, '_> {}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("pending", &self.gathering.pending())
            .finish_non_exhaustive()
    }
}

/// A task cannot borrow a value that ends within the scope.
///
/// ```compile_fail,E0373
/// let pool = anthill::Pool::builder().build().unwrap();
/// pool.scope(|scope| {
///     let inside = String::new();
///     scope.submit(|| println!("{inside}")).unwrap();
/// });
/// ```
///
/// Two tasks cannot borrow the same value mutably.
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
/// The scope cannot be returned from its closure.
///
/// ```compile_fail
/// let pool = anthill::Pool::builder().build().unwrap();
/// let scope = pool.scope(|scope| scope);
/// scope.submit(|| ()).unwrap();
/// ```
#[cfg(doctest)]
struct Borrowing;
