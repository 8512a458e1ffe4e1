//! Failures of data files, detected without a panic.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use thiserror::Error;

use crate::error::describe;

/// Why a data file cannot be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// The system, or the database, says so.
    #[error("{}", describe(.0))]
    Store(redb::Error),
    /// Its content is not valid, or made the database panic.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// There is no file, or another one, where the server had its own.
    #[error("the file was removed or replaced")]
    Removed,
}

impl<E: Into<redb::Error>> From<E> for DataError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Corrupted(what) => Self::Damaged(what),
            error => Self::Store(error),
        }
    }
}

thread_local! {
    /// Whether a panic of this thread is caught and reported.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic because a file is damaged. A panic is returned as an error and not printed.
pub(super) fn contain<T>(work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                default(info);
            }
        }));
    });
    let before = CONTAINED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    outcome.unwrap_or_else(|panic| Err(DataError::Damaged(message(&*panic))))
}

/// The first line of a panic's message.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("the database panicked");
    text.lines().next().unwrap_or(text).to_owned()
}
