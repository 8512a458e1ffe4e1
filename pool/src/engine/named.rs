//! Tasks with a name, for the panic handler and the error of a shutdown that timed out.
//!
//! The name wraps the task, so unnamed tasks cost nothing extra.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::engine::scheduler::Scheduler;
use crate::engine::seat::Seat;
use crate::figures::trace;
use crate::task::unwind;

/// Returns a closure that runs under a name.
pub fn named<F, T>(name: Arc<str>, f: F) -> impl FnOnce() -> T + use<F, T>
where
    F: FnOnce() -> T,
{
    move || match Begun::here(name) {
        Some(begun) => begun.run(f),
        None => f(),
    }
}

/// Returns a future that runs under a name, from its first poll to its end.
pub fn named_future<F: Future>(name: Arc<str>, future: F) -> NamedFuture<F> {
    NamedFuture {
        future,
        name,
        begun: None,
    }
}

pin_project! {
    /// A future with a name.
    pub struct NamedFuture<F> {
        // Before `begun`: the task keeps its name while the future is dropped.
        #[pin]
        future: F,
        name: Arc<str>,
        begun: Option<Begun>,
    }
}

impl<F: Future> Future for NamedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.begun.is_none() {
            *this.begun = Begun::here(Arc::clone(this.name));
        }
        match this.begun {
            Some(begun) => begun.run(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        }
    }
}

/// A named task that has begun and not ended. Its pool lists it.
#[derive(Debug)]
struct Begun {
    scheduler: Scheduler,
    ticket: u64,
    name: Arc<str>,
}

impl Begun {
    /// Begins on the calling worker. `None` if the calling thread is not a worker.
    fn here(name: Arc<str>) -> Option<Self> {
        let scheduler = Seat::here()?;
        trace::name(&name);
        let ticket = scheduler.names.lock().add(Arc::clone(&name));
        Some(Self {
            scheduler,
            ticket,
            name,
        })
    }

    /// Runs a part of the task. A panic unwinds further with the name attached.
    fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        unwind::catch(f).unwrap_or_else(|payload| resume_unwind(unwind::mark(payload, &self.name)))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.scheduler.names.lock().remove(self.ticket);
    }
}
