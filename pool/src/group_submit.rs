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

/// Closures.
impl<T: Send + 'static> Group<T> {
    /// As [`Pool::submit`](crate::Pool::submit).
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// As [`Pool::try_submit`](crate::Pool::try_submit).
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// As [`Pool::submit_timeout`](crate::Pool::submit_timeout).
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, after(timeout))
    }

    /// As [`Pool::submit_deadline`](crate::Pool::submit_deadline).
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with(f, Patience::Until(deadline))
    }

    /// As [`Pool::submit_async`](crate::Pool::submit_async).
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

/// Futures.
impl<T: Send + 'static> Group<T> {
    /// As [`Pool::spawn`](crate::Pool::spawn).
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, self.plain())
    }

    /// As [`Pool::try_spawn`](crate::Pool::try_spawn).
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// As [`Pool::spawn_timeout`](crate::Pool::spawn_timeout).
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// As [`Pool::spawn_deadline`](crate::Pool::spawn_deadline).
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.spawn_with(future, Patience::Until(deadline))
    }

    /// As [`Pool::spawn_async`](crate::Pool::spawn_async).
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
