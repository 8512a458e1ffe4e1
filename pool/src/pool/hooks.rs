//! Functions that the pool calls: when threads start and stop, and around tasks.

use std::sync::Arc;

use crate::engine::Context;
use crate::pool::builder::Builder;

/// Hooks.
impl Builder {
    /// Sets a hook that each thread calls before its first task, with its
    /// [index](crate::worker_index), for example to set a priority or pin it to a core. The hook may
    /// take long: meanwhile other threads are woken or started for waiting tasks. It counts as a
    /// closure within [`threads`](Self::threads). A panic of the hook is caught and counted in
    /// [`Stats::handler_panics`](crate::Stats::handler_panics).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder()
    ///     .on_thread_start(|index| println!("worker {index} starts"))
    ///     .on_thread_stop(|index| println!("worker {index} exits"))
    ///     .build()?;
    /// # drop(pool);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.start = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that each thread calls after its last task, with its index.
    /// [`Pool::shutdown`](crate::Pool::shutdown) waits for it. The thread no longer counts, and
    /// another may have replaced it. A panic of the hook is caught and counted in
    /// [`Stats::handler_panics`](crate::Stats::handler_panics).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let pool = anthill::Pool::builder()
    ///     .threads(3..=3)
    ///     .on_thread_stop(move |index| _ = sender.send(index))
    ///     .build()?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(receiver.try_iter().count(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_thread_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.stop = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that gives tasks the context of their submitters: a span of `tracing`, an
    /// OpenTelemetry context, a request id in a thread-local. Default: none, at no cost.
    ///
    /// Each submit calls `capture`, on the submitter's thread. The returned function is called
    /// around the run of a closure, and around each poll of a future. It must call the function
    /// that it is given, once. That function never panics, even if the task does, so what follows
    /// it always runs.
    ///
    /// A panic of `capture` is reported like that of a task, and the task runs without context. A
    /// panic of the returned function is reported alike, and the task runs if it has not run yet.
    ///
    /// A request id in a thread-local:
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// thread_local!(static REQUEST: Cell<u64> = const { Cell::new(0) });
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = anthill::Pool::builder().context(|| {
    ///     let request = REQUEST.get();
    ///     move |run: &mut dyn FnMut()| {
    ///         let before = REQUEST.replace(request);
    ///         run();
    ///         REQUEST.set(before);
    ///     }
    /// });
    /// let pool = builder.build()?;
    /// REQUEST.set(7);
    /// assert_eq!(pool.submit_with_handle(|| REQUEST.get())?.wait()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A span of `tracing`, so that events of the task belong to the request:
    ///
    /// ```
    /// use tracing::{Span, info_span};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
    /// let builder = anthill::Pool::builder().context(|| {
    ///     let span = Span::current();
    ///     move |run: &mut dyn FnMut()| span.in_scope(run)
    /// });
    /// let pool = builder.build()?;
    /// let request = info_span!("request", id = 7);
    /// let task = request.in_scope(|| pool.submit_with_handle(|| Span::current().id()))?;
    /// assert_eq!(task.wait()?, request.id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With the feature `tracing` each task has a span of its own, a child of the submitter's, and
    /// needs no such hook.
    ///
    /// An OpenTelemetry context goes the same way. With `tracing-opentelemetry` the span carries it.
    /// Without, the crate `opentelemetry` attaches it:
    ///
    /// ```text
    /// let builder = Pool::builder().context(|| {
    ///     let context = opentelemetry::Context::current();
    ///     move |run: &mut dyn FnMut()| {
    ///         let _attached = context.clone().attach(); // detached when dropped
    ///         run();
    ///     }
    /// });
    /// ```
    pub fn context<R>(mut self, capture: impl Fn() -> R + Send + Sync + 'static) -> Self
    where
        R: FnMut(&mut dyn FnMut()) + Send + 'static,
    {
        self.context = Some(Arc::new(move || Context(Box::new(capture()))));
        self
    }
}
