//! A span for each task, with the feature `tracing`; no code without it.

#[cfg(feature = "tracing")]
pub use spans::{future, job, name, panicked};

#[cfg(not(feature = "tracing"))]
pub use disabled::{future, job, name, panicked};

#[cfg(feature = "tracing")]
mod spans {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use pin_project_lite::pin_project;
    use tracing::Span;
    use tracing::field::Empty;

    use crate::task::TaskPanic;
    use crate::task::unwind;
    use crate::task::{End, Job, Turn};

    /// Makes a child of the span in which the task is submitted. A panic of the subscriber would
    /// leak the slot that the task already has, so the task then runs without a span.
    fn span(pool: &str) -> Span {
        let span = || tracing::debug_span!(target: "anthill", "task", pool, task = Empty);
        unwind::catch(span).unwrap_or_else(|payload| {
            unwind::discard(payload);
            Span::none()
        })
    }

    /// Wraps a closure to run in its span.
    pub fn job(pool: &str, job: impl Job) -> impl Job {
        Spanned {
            task: job,
            span: span(pool),
        }
    }

    /// Wraps a future to be polled in its span.
    pub fn future<F: Future>(pool: &str, future: F) -> Spanned<F> {
        Spanned {
            task: future,
            span: span(pool),
        }
    }

    /// Records the name of the running task in its span.
    pub fn name(name: &str) {
        Span::current().record("task", name);
    }

    /// Logs the panic of a task in a pool without a panic handler.
    pub fn panicked(panic: &TaskPanic) {
        tracing::error!(target: "anthill", "{panic}");
    }

    pin_project! {
        pub struct Spanned<T> {
            #[pin]
            task: T,
            span: Span,
        }
    }

    impl<J: Job> Job for Spanned<J> {
        const ENDS_TURN: bool = J::ENDS_TURN;

        fn run(self, turn: &impl Turn) -> End {
            self.span.in_scope(|| self.task.run(turn))
        }

        fn discard(self, turn: &impl Turn) -> End {
            self.span.in_scope(|| self.task.discard(turn))
        }

        fn is_spent(&mut self) -> bool {
            self.task.is_spent()
        }
    }

    impl<F: Future> Future for Spanned<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _in = this.span.enter();
            this.task.poll(cx)
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use std::future::Future;

    use crate::task::Job;
    use crate::task::TaskPanic;

    pub fn job(_pool: &str, job: impl Job) -> impl Job {
        job
    }

    pub fn future<F: Future>(_pool: &str, future: F) -> F {
        future
    }

    pub fn name(_name: &str) {}

    pub fn panicked(_panic: &TaskPanic) {}
}
