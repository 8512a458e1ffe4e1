//! Spans for each task, with the feature `tracing`; no code without it.

#[cfg(feature = "tracing")]
pub use spans::{apart, expired, future, job, naming, panicked};

#[cfg(not(feature = "tracing"))]
pub use disabled::{apart, expired, future, job, naming, panicked};

#[cfg(feature = "tracing")]
mod spans {
    use std::cell::RefCell;
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use pin_project_lite::pin_project;
    use tracing::Span;

    use crate::figures::console::{ConsoleTask, Kind, within};
    use crate::task::TaskPanic;
    use crate::task::unwind;
    use crate::task::{End, Job, Turn};

    thread_local! {
        /// The name of the task that the calling thread submits.
        static NAME: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
    }

    /// Until it is dropped, the next task that the calling thread submits has a name.
    pub struct Naming;

    pub fn naming(name: Option<&Arc<str>>) -> Naming {
        if let Some(task) = name {
            // A task that is submitted while its thread exits has no name in its span.
            let _ = NAME.try_with(|name| name.replace(Some(Arc::clone(task))));
        }
        Naming
    }

    /// Calls `f`. Tasks that it submits do not take the name of the task being submitted.
    pub fn apart<T>(f: impl FnOnce() -> T) -> T {
        let name = take_name();
        let returned = f();
        let _ = NAME.try_with(|own| own.replace(name));
        returned
    }

    fn take_name() -> Option<Arc<str>> {
        NAME.try_with(RefCell::take).ok().flatten()
    }

    impl Drop for Naming {
        fn drop(&mut self) {
            take_name();
        }
    }

    /// Makes a child of the span in which the task is submitted. A panic of the subscriber would
    /// leak the slot that the task already has, so the task then runs without a span.
    fn span(pool: &str, name: Option<&str>) -> Span {
        let span = || tracing::debug_span!(target: "anthill", "task", pool, task = name);
        unwind::catch(span).unwrap_or_else(|payload| {
            unwind::discard(payload);
            Span::none()
        })
    }

    fn spanned<T>(pool: &str, kind: Kind, task: T) -> Spanned<T> {
        let name = take_name();
        let name = name.as_deref();
        Spanned {
            span: span(pool, name),
            console: ConsoleTask::new(pool, name, kind, size_of::<T>()),
            task,
        }
    }

    /// Wraps a closure to run in its span.
    pub fn job<J: Job>(pool: &str, job: J) -> impl Job + use<J> {
        spanned(pool, Kind::Closure, job)
    }

    /// Wraps a future to be polled in its span.
    pub fn future<F: Future>(pool: &str, future: F) -> Spanned<F> {
        spanned(pool, Kind::Future, future)
    }

    /// Logs that the running task has expired. A panic of the subscriber does not reach the task,
    /// whose handle is still to be notified.
    pub fn expired() {
        let event = || tracing::debug!(target: "anthill", "the task expired before it began");
        unwind::catch(event).unwrap_or_else(unwind::discard);
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
            console: ConsoleTask,
        }
    }

    impl<J: Job> Job for Spanned<J> {
        const ENDS_TURN: bool = J::ENDS_TURN;

        fn run(self, turn: &impl Turn) -> End {
            let Self {
                task,
                span,
                console,
            } = self;
            console.run(|| within(&span, || task.run(turn)))
        }

        fn discard(self, turn: &impl Turn) -> End {
            within(&self.span, || self.task.discard(turn))
        }

        fn is_spent(&mut self) -> bool {
            self.task.is_spent()
        }
    }

    impl<F: Future> Future for Spanned<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            this.console
                .poll(cx, |cx| within(this.span, || this.task.poll(cx)))
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

    pub fn expired() {}

    pub fn apart<T>(f: impl FnOnce() -> T) -> T {
        f()
    }

    pub struct Naming;

    pub fn naming(_name: Option<&std::sync::Arc<str>>) -> Naming {
        Naming
    }

    pub fn panicked(_panic: &TaskPanic) {}
}
