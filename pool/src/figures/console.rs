//! What [tokio-console](https://github.com/tokio-rs/console) shows of a task: a span named
//! `runtime.spawn`, and events for its waker. `console-subscriber` looks for these names and fields,
//! and needs no runtime of tokio for them.
//!
//! If no subscriber enables the span, a task carries one null pointer and its wakers are not wrapped.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};

use tracing::Span;

use crate::task::unwind;

/// What kind of task the console shows. It expects a `Task` to yield and to be woken.
#[derive(Clone, Copy)]
pub enum Kind {
    Closure,
    Future,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Closure => "blocking",
            Self::Future => "task",
        }
    }
}

/// The span of a task. `None` if no subscriber enables it.
pub struct ConsoleTask(Option<Box<Span>>);

impl ConsoleTask {
    /// Opens the span. A panic of the subscriber would leak the slot that the task already has, so
    /// the task then runs without the span.
    pub fn new(pool: &str, name: Option<&str>, kind: Kind, bytes: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let span = || {
            // A task that submits another must not stay open until that one ends, so the span has
            // no parent.
            let span = tracing::trace_span!(
                target: "anthill::task",
                parent: None,
                "runtime.spawn",
                kind = kind.name(),
                task.id = NEXT.fetch_add(1, Ordering::Relaxed),
                task.name = name,
                size.bytes = bytes,
                pool,
            );
            (!span.is_disabled()).then(|| Box::new(span))
        };
        Self(unwind::catch(span).unwrap_or_else(|payload| {
            unwind::discard(payload);
            None
        }))
    }

    /// Runs a closure in the span.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(span) => within(span, f),
            None => f(),
        }
    }

    /// Polls in the span, with a waker that reports its use.
    pub fn poll<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let Some(span) = &self.0 else { return poll(cx) };
        let Some(id) = span.id() else { return poll(cx) };
        // New for each poll: a waker that the task keeps for itself would keep a future that
        // nothing else can wake.
        let waker = reporting(id.into_u64(), cx.waker().clone());
        within(span, || poll(&mut Context::from_waker(&waker)))
    }
}

/// Calls `f` in a span. A panic of `f` does not unwind through the guard of the span: if the
/// subscriber panics there too, the process would abort.
pub fn within<T>(span: &Span, f: impl FnOnce() -> T) -> T {
    let entered = span.enter();
    let returned = unwind::catch(f);
    drop(entered);
    returned.unwrap_or_else(|payload| resume_unwind(payload))
}

/// A waker that reports its use to the console.
struct ReportingWaker {
    task: u64,
    waker: Waker,
}

/// Wraps a waker of a task.
fn reporting(task: u64, waker: Waker) -> Waker {
    report(task, "waker.clone");
    Waker::from(Arc::new(ReportingWaker { task, waker }))
}

impl Wake for ReportingWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The console counts `waker.wake` as a drop too, but the drop is reported on its own.
        report(self.task, "waker.wake_by_ref");
        self.waker.wake_by_ref();
    }
}

impl Drop for ReportingWaker {
    fn drop(&mut self) {
        report(self.task, "waker.drop");
    }
}

/// Reports the use of a waker. A panic of the subscriber must not reach the code that wakes.
fn report(task: u64, op: &'static str) {
    let event = || tracing::trace!(target: "runtime::waker", op, task.id = task);
    unwind::catch(event).unwrap_or_else(unwind::discard);
}
