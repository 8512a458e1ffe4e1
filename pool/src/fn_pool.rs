//! One function, many arguments.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::entrance::{Patience, Refusal};
use crate::error::SubmitError;
use crate::gate::Way;
use crate::pool::Pool;
use crate::submit::{admit, after};

/// A pool that calls one function with the arguments it is given. It wraps a [`Pool`] or a subpool, whose slots and
/// settings are its own: [`pool`](Self::pool) leads to `tune`, `stats` and `shutdown`.
///
/// A clone is another handle. Up to two words of argument wait without an allocation.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// static SUM: AtomicU64 = AtomicU64::new(0);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(8).build()?;
/// let add = anthill::FnPool::new(pool, |n: u64| _ = SUM.fetch_add(n, Ordering::Relaxed));
/// for n in 1..=100 {
///     add.submit(n)?;
/// }
/// add.pool().shutdown()?;
/// assert_eq!(SUM.load(Ordering::Relaxed), 5050);
/// # Ok(())
/// # }
/// ```
pub struct FnPool<T> {
    pool: Pool,
    function: Arc<dyn Fn(T) + Send + Sync>,
}

impl<T: Send + 'static> FnPool<T> {
    /// Calls `function` on the threads of `pool`.
    pub fn new(pool: Pool, function: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self {
            pool,
            function: Arc::new(function),
        }
    }

    /// The pool it works in.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Calls the function with `argument`, as [`Pool::submit`] runs a closure.
    pub fn submit(&self, argument: T) -> Result<(), SubmitError<T>> {
        let gate = self.pool.gate();
        self.call(gate.enter_closure(gate.entrance().plain()), argument)
    }

    /// Calls the function with `argument`, as [`Pool::try_submit`] runs a closure.
    pub fn try_submit(&self, argument: T) -> Result<(), SubmitError<T>> {
        self.call(self.pool.gate().enter_closure(Patience::None), argument)
    }

    /// Calls the function with `argument`, as [`Pool::submit_timeout`] runs a closure.
    pub fn submit_timeout(&self, argument: T, timeout: Duration) -> Result<(), SubmitError<T>> {
        self.call(self.pool.gate().enter_closure(after(timeout)), argument)
    }

    /// Calls the function with `argument`, as [`Pool::submit_async`] runs a closure.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async(&self, argument: T) -> Result<(), SubmitError<T>> {
        let entered = self.pool.gate().enter_async().await;
        self.call(entered.map(|()| Way::Slot), argument)
    }

    fn call(&self, entered: Result<Way, Refusal>, argument: T) -> Result<(), SubmitError<T>> {
        admit(entered, argument, |way, argument| {
            let function = Arc::clone(&self.function);
            self.pool.gate().submit(way, move || function(argument));
        })
    }
}

impl<T> Clone for FnPool<T> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            function: Arc::clone(&self.function),
        }
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
impl<T> UnwindSafe for FnPool<T> {}
impl<T> RefUnwindSafe for FnPool<T> {}

impl<T> fmt::Debug for FnPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnPool")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
