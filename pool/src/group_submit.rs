//! The ways into a group.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::entrance::{Patience, Refusal};
use crate::error::SubmitError;
use crate::gate::Way;
use crate::group::{Group, Members};
use crate::join::{self, JoinHandle};
use crate::submit::after;
use crate::sync::Arc;
use crate::unwind;

/// Closures. The answers are those of [`Pool`](crate::Pool#submitting), and `Stopped`.
impl<T: Send + 'static> Group<T> {
    /// As [`Pool::submit`](crate::Pool::submit).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.submit(|| 6 * 7)?;
    /// assert_eq!(group.wait().values()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// As [`Pool::try_submit`](crate::Pool::try_submit).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, group) = (pool.slot()?, pool.group());
    /// assert!(group.try_submit(|| 6 * 7).is_err());
    /// assert!(group.is_empty()); // a task that was refused is no part of it
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// As [`Pool::submit_timeout`](crate::Pool::submit_timeout).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, group) = (pool.slot()?, pool.group());
    /// let refused = group.submit_timeout(|| 6 * 7, Duration::from_millis(1)).unwrap_err();
    /// drop(held);
    /// group.submit(refused.into_task())?;
    /// assert_eq!(group.wait().values()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, after(timeout))
    }

    /// As [`Pool::submit_deadline`](crate::Pool::submit_deadline).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::{Duration, Instant};
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let group = pool.group();
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// for n in 0..3 {
    ///     group.submit_deadline(move || n * n, deadline)?; // one deadline for all three
    /// }
    /// assert_eq!(group.wait().values()?, [0, 1, 4]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, Patience::Until(deadline))
    }

    /// As [`Pool::submit_async`](crate::Pool::submit_async).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let group = pool.group();
    /// let sum = pool.spawn_with_handle(async move {
    ///     group.submit_async(|| 1).await.expect("the pool is open");
    ///     group.wait_async().await.values().map(|values| values.iter().sum::<u32>())
    /// })?;
    /// assert_eq!(sum.join()??, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, `Stopped`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        if self.is_stopped() {
            return Err(SubmitError::Stopped(f));
        }
        let entered = self.pool.gate().enter_async().await;
        self.accept_closure(entered.map(|()| Way::Slot), f)
    }

    fn submit_with<F>(&self, f: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        if self.is_stopped() {
            return Err(SubmitError::Stopped(f));
        }
        self.accept_closure(self.pool.gate().enter_closure(patience), f)
    }

    fn accept_closure<F>(&self, entered: Result<Way, Refusal>, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let make = |member: Member<T>, f| join::closure(self.pool.gate(), move || member.run(f));
        self.accept(entered, f, make, |way, task| {
            self.pool.gate().submit(way, task);
        })
    }
}

/// Futures. The answers are those of [`Pool`](crate::Pool#submitting), and `Stopped`.
impl<T: Send + 'static> Group<T> {
    /// As [`Pool::spawn`](crate::Pool::spawn).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.spawn(async { "a future" })?;
    /// group.submit(|| "a closure")?;
    /// assert_eq!(group.wait().values()?, ["a future", "a closure"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, self.plain())
    }

    /// As [`Pool::try_spawn`](crate::Pool::try_spawn).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let (held, group) = (pool.slot()?, pool.group());
    /// let refused = group.try_spawn(async { 42 });
    /// assert!(matches!(refused, Err(anthill::SubmitError::Full(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// As [`Pool::spawn_timeout`](crate::Pool::spawn_timeout).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.cancel();
    /// let refused = group.spawn_timeout(async { 42 }, Duration::from_secs(60)); // at once
    /// assert!(matches!(refused, Err(anthill::SubmitError::Stopped(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// As [`Pool::spawn_deadline`](crate::Pool::spawn_deadline).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Instant;
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.spawn_deadline(async { 42 }, Instant::now())?; // too late to wait, but there is room
    /// assert_eq!(group.wait().values()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, Patience::Until(deadline))
    }

    /// As [`Pool::spawn_async`](crate::Pool::spawn_async).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// # let group = pool.group();
    /// let words = pool.spawn_with_handle(async move {
    ///     group.spawn_async(async { "ant" }).await.expect("the pool is open");
    ///     group.wait_async().await.values()
    /// })?;
    /// assert_eq!(words.join()??, ["ant"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Closed`, `Stopped`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        if self.is_stopped() {
            return Err(SubmitError::Stopped(future));
        }
        let entered = self.pool.gate().enter_async().await;
        self.accept_future(entered, future)
    }

    fn spawn_with<F>(&self, future: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        if self.is_stopped() {
            return Err(SubmitError::Stopped(future));
        }
        self.accept_future(self.pool.gate().enter(patience), future)
    }

    fn accept_future<F>(
        &self,
        entered: Result<(), Refusal>,
        future: F,
    ) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let make = |member, future| join::future(self.pool.gate(), Watched { future, member });
        self.accept(entered.map(|()| Way::Slot), future, make, |_, task| {
            self.pool.gate().spawn(task);
        })
    }
}

impl<T: Send + 'static> Group<T> {
    fn plain(&self) -> Patience {
        self.pool.gate().entrance().plain()
    }

    /// Has `make` make a task of what got in, and `begin` begin it, unless the group has stopped by now.
    fn accept<F, R>(
        &self,
        entered: Result<Way, Refusal>,
        task: F,
        make: impl FnOnce(Member<T>, F) -> (JoinHandle<T>, R),
        begin: impl FnOnce(Way, R),
    ) -> Result<(), SubmitError<F>> {
        let way = match entered {
            Ok(way) => way,
            Err(refusal) => return Err(SubmitError::new(refusal, task)),
        };
        let added = self.members.add(task, |index, task| {
            let members = Arc::clone(&self.members);
            make(Member { members, index }, task)
        });
        match added {
            Ok(made) => {
                begin(way, made);
                Ok(())
            }
            Err(task) => {
                if way == Way::Slot {
                    self.pool.gate().release();
                }
                Err(SubmitError::Stopped(task))
            }
        }
    }
}

/// A task's place in its group.
struct Member<T> {
    members: Arc<Members<T>>,
    index: usize,
}

impl<T> Member<T> {
    fn run(self, f: impl FnOnce() -> T) -> T {
        let value = self.guard(f);
        self.members.returned(self.index, &value);
        value
    }

    /// Runs a part of the task, and tells the group if that panics.
    fn guard<R>(&self, f: impl FnOnce() -> R) -> R {
        unwind::catch(f).unwrap_or_else(|payload| {
            // Not while unwinding: what is cancelled is dropped there, and may panic as well.
            self.members.panicked(self.index);
            resume_unwind(payload)
        })
    }
}

pin_project! {
    /// A future that tells its group how it ends.
    struct Watched<F, T> {
        #[pin]
        future: F,
        member: Member<T>,
    }
}

impl<F: Future> Future for Watched<F, F::Output> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.member.guard(|| this.future.poll(cx));
        if let Poll::Ready(value) = &polled {
            this.member.members.returned(this.member.index, value);
        }
        polled
    }
}
