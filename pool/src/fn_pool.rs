//! One function, many arguments.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::entrance::{Patience, Refusal};
use crate::error::SubmitError;
use crate::gate::Way;
use crate::pool::Pool;
use crate::submit::{admit, after};

/// A pool that calls one function with the arguments it is given. It wraps a [`Pool`] or a subpool, whose slots and
/// settings are its own: [`pool`](Self::pool) leads to `tune`, `stats` and `shutdown`.
///
/// A clone is another handle. Up to two words of argument, one in a subpool, wait without an allocation, unless the
/// task is measured or has a span.
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(8).build()?;
    /// let (sent, squares) = std::sync::mpsc::channel();
    /// let square = anthill::FnPool::new(pool, move |n: u32| _ = sent.send(n * n));
    /// square.submit(3)?;
    /// assert_eq!(squares.recv()?, 9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(pool: Pool, function: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self {
            pool,
            function: Arc::new(function),
        }
    }

    /// The pool it works in.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let greet = anthill::FnPool::new(pool, |name| println!("hello {name}"));
    /// greet.submit("ann")?;
    /// greet.pool().shutdown()?;
    /// assert_eq!(greet.pool().stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Calls the function with `argument`, as [`Pool::submit`] runs a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let write = anthill::FnPool::new(pool, |line: String| println!("{line}"));
    /// write.submit("one".to_owned())?; // waits if the pool is full
    /// write.pool().close();
    /// let refused = write.submit("two".to_owned()).unwrap_err();
    /// assert_eq!(refused.into_task(), "two"); // the argument comes back
    /// # write.pool().shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit(&self, argument: T) -> Result<(), SubmitError<T>> {
        let gate = self.pool.gate();
        self.call(gate.enter_closure(gate.entrance().plain()), argument)
    }

    /// Calls the function with `argument`, as [`Pool::try_submit`] runs a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let write = anthill::FnPool::new(pool, |line| println!("{line}"));
    /// let held = write.pool().slot()?; // the only one
    /// assert_eq!(write.try_submit("one"), Err(anthill::SubmitError::Full("one")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit(&self, argument: T) -> Result<(), SubmitError<T>> {
        self.call(self.pool.gate().enter_closure(Patience::None), argument)
    }

    /// Calls the function with `argument`, as [`Pool::submit_timeout`] runs a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let write = anthill::FnPool::new(pool, |line| println!("{line}"));
    /// let held = write.pool().slot()?; // the only one
    /// let refused = write.submit_timeout("one", Duration::from_millis(1));
    /// assert_eq!(refused, Err(anthill::SubmitError::Timeout("one")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_timeout(&self, argument: T, timeout: Duration) -> Result<(), SubmitError<T>> {
        self.call(self.pool.gate().enter_closure(after(timeout)), argument)
    }

    /// Calls the function with `argument`, as [`Pool::submit_deadline`] runs a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let print = anthill::FnPool::new(pool, |n: u64| println!("{n}"));
    /// let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    /// print.submit_deadline(7, deadline)?;
    /// # print.pool().shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_deadline(&self, argument: T, deadline: Instant) -> Result<(), SubmitError<T>> {
        let patience = Patience::Until(deadline);
        self.call(self.pool.gate().enter_closure(patience), argument)
    }

    /// Calls the function with `argument`, as [`Pool::submit_async`] runs a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let write = anthill::FnPool::new(pool.clone(), |line| println!("{line}"));
    /// let written = pool.spawn_with_handle(async move { write.submit_async("one").await })?;
    /// written.join()??;
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
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
