//! Catches panics. A task's panic ends only that task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The payload of a panic.
pub type Payload = Box<dyn Any + Send>;

/// Runs `f` and returns its value, or the payload of its panic.
///
/// Asserts unwind safety: state that `f` left inconsistent belongs to the task, or is behind locks
/// and atomics whose owners handle it.
pub fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(f))
}

/// The payload of a named task, on its way to the handler or joiner.
struct Marked {
    task: Arc<str>,
    payload: Payload,
}

/// Adds the task's name to a payload. The name of an inner task stays.
pub fn mark(payload: Payload, task: &Arc<str>) -> Payload {
    if payload.is::<Marked>() {
        return payload;
    }
    Box::new(Marked {
        task: Arc::clone(task),
        payload,
    })
}

/// Returns the original payload, and the name of the task if it has one.
pub fn unmark(payload: Payload) -> (Payload, Option<Arc<str>>) {
    match payload.downcast::<Marked>() {
        Ok(marked) => (marked.payload, Some(marked.task)),
        Err(payload) => (payload, None),
    }
}

/// Returns the message, if `panic!` was called with one.
pub fn message(payload: &Payload) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Drops a payload. Catches a panic of its `Drop`.
pub fn discard(payload: Payload) {
    if let Err(again) = catch(move || drop(payload)) {
        // The new payload may panic when dropped, too. Leak it, or this could repeat forever.
        std::mem::forget(again);
    }
}
