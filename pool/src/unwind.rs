//! The one place where panics are caught: a task's panic ends that task and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What `panic!` was given.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Runs `f`; a panic comes back as its payload.
///
/// Unwind safety is asserted: what a task touched and left half-done is the task's own, or behind locks and atomics
/// whose owners decide.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(f))
}

/// A payload on its way from a named task to whoever gets it.
struct Marked {
    task: Arc<str>,
    payload: Payload,
}

/// Puts the task's name on a payload, unless an inner one is on it already.
pub(crate) fn mark(payload: Payload, task: &Arc<str>) -> Payload {
    if payload.is::<Marked>() {
        return payload;
    }
    Box::new(Marked {
        task: Arc::clone(task),
        payload,
    })
}

/// The payload as it was given to `panic!`, and the name of the task if it has one.
pub(crate) fn unmark(payload: Payload) -> (Payload, Option<Arc<str>>) {
    match payload.downcast::<Marked>() {
        Ok(marked) => (marked.payload, Some(marked.task)),
        Err(payload) => (payload, None),
    }
}

/// The message, if `panic!` was given one.
pub(crate) fn message(payload: &Payload) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Drops a payload, whose own `Drop` may panic as well.
pub(crate) fn discard(payload: Payload) {
    if let Err(again) = catch(move || drop(payload)) {
        // A payload that panics when dropped may do so for ever; leaking it ends the matter.
        std::mem::forget(again);
    }
}
