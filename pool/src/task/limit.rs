//! When a task must have begun.

use std::time::Instant;

/// The time by which a task must have begun.
pub trait Limit: Send + 'static {
    /// Returns whether the task begins too late. Call it when the task begins. Later calls return
    /// false.
    fn begins_late(&mut self) -> bool;
}

/// A task that may begin at any time.
pub struct NoLimit;

impl Limit for NoLimit {
    #[inline]
    fn begins_late(&mut self) -> bool {
        false
    }
}

/// A task that expires at an instant, if there is one.
pub struct ExpiresAt(pub Option<Instant>);

impl Limit for ExpiresAt {
    fn begins_late(&mut self) -> bool {
        let deadline = self.0.take();
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
