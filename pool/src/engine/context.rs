//! Context that a task takes from its submitter: captured at submit, restored around its run.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::Poll;

use pin_project_lite::pin_project;

use crate::engine::gate::Gate;
use crate::engine::seat::Seat;
use crate::figures::trace;
use crate::task::{End, Job, Turn, unwind};

/// Captures the context of the calling thread.
pub type Capture = Arc<dyn Fn() -> Context + Send + Sync>;

/// Runs the function that it is called with, in a captured context.
pub type Restore = Box<dyn FnMut(&mut dyn FnMut()) + Send>;

/// A captured context.
pub struct Context(pub Restore);

impl Context {
    /// Runs `f` in the context; without it if the context does not call the function.
    ///
    /// A panic of `f` unwinds from here, and not through the context, which could swallow it. A
    /// panic of the context is reported, because the result of `f` must not be lost.
    pub fn run<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let mut f = Some(f);
        let mut result = None;
        let restored = unwind::catch(|| {
            (self.0)(&mut || {
                if let Some(f) = f.take() {
                    result = Some(unwind::catch(f));
                }
            });
        });
        if let Err(payload) = restored {
            match Seat::here() {
                Some(scheduler) => scheduler.report(payload),
                None => unwind::discard(payload),
            }
        }
        match (result, f) {
            (Some(result), _) => result.unwrap_or_else(|payload| resume_unwind(payload)),
            (None, Some(f)) => f(),
            (None, None) => unreachable!("the function was called once"),
        }
    }

    /// Returns a closure that runs in the context.
    pub fn closure<F: FnOnce() -> T, T>(mut self, f: F) -> impl FnOnce() -> T + use<F, T> {
        move || self.run(f)
    }
}

impl Gate {
    /// Captures the context for a task that is submitted now, if the pool has a hook for that.
    #[inline]
    pub fn context(&self) -> Option<Context> {
        let capture = self.scheduler.settings.context.as_ref()?;
        // The task holds its slot already, so a panic must not unwind.
        let captured = trace::apart(|| unwind::catch(|| capture()));
        captured
            .map_err(|payload| self.scheduler.report(payload))
            .ok()
    }
}

/// A closure in a context.
pub struct ContextJob<J> {
    pub context: Context,
    pub job: J,
}

impl<J: Job> Job for ContextJob<J> {
    const ENDS_TURN: bool = J::ENDS_TURN;

    fn run(mut self, turn: &impl Turn) -> End {
        self.context.run(|| self.job.run(turn))
    }

    fn discard(self, turn: &impl Turn) -> End {
        self.job.discard(turn)
    }

    fn is_spent(&mut self) -> bool {
        self.job.is_spent()
    }
}

pin_project! {
    /// A future that is polled in a context.
    pub struct ContextFuture<F> {
        #[pin]
        pub future: F,
        pub context: Context,
    }
}

impl<F: Future> Future for ContextFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.context.run(|| this.future.poll(cx))
    }
}
